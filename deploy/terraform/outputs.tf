# A sensor with traffic mirroring. Made by: mirador aws deploy

output "sensor_instance_id" {
  description = "The sensor"
  value       = aws_instance.sensor.id
}

output "sensor_address" {
  description = "Private address of the sensor"
  value       = aws_instance.sensor.private_ip
}

output "traffic_interface_id" {
  description = "Its traffic interface"
  value       = one(aws_network_interface.traffic[*].id)
}

output "traffic_mirror_target_id" {
  description = "Target for more sessions"
  value       = one(concat(aws_ec2_traffic_mirror_target.interface[*].id, aws_ec2_traffic_mirror_target.balancer[*].id))
}

output "traffic_mirror_filter_id" {
  description = "Filter for more sessions"
  value       = one(aws_ec2_traffic_mirror_filter.mirror[*].id)
}
