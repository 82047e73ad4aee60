# A sensor with traffic mirroring. Made by: mirador aws deploy

locals {
  balancer  = var.enable_traffic_mirroring && var.target_kind == "nlb"
  mirroring = var.enable_traffic_mirroring
}

data "aws_ssm_parameter" "image" {
  count = var.image_id == "" ? 1 : 0

  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

resource "aws_ec2_traffic_mirror_filter" "mirror" {
  count = local.mirroring ? 1 : 0

  description      = "Filter of ${var.name}"
  network_services = ["amazon-dns"]

  tags = {
    Name = "mirador-${var.name}"
  }
}

resource "aws_ec2_traffic_mirror_filter_rule" "rule_egress_10" {
  count = local.mirroring ? 1 : 0

  description              = "everything"
  destination_cidr_block   = "0.0.0.0/0"
  rule_action              = "accept"
  rule_number              = 10
  source_cidr_block        = "0.0.0.0/0"
  traffic_direction        = "egress"
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.mirror[0].id
}

resource "aws_ec2_traffic_mirror_filter_rule" "rule_egress_20" {
  count = local.mirroring ? 1 : 0

  description              = "everything"
  destination_cidr_block   = "::/0"
  rule_action              = "accept"
  rule_number              = 20
  source_cidr_block        = "::/0"
  traffic_direction        = "egress"
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.mirror[0].id
}

resource "aws_ec2_traffic_mirror_filter_rule" "rule_ingress_10" {
  count = local.mirroring ? 1 : 0

  description              = "everything"
  destination_cidr_block   = "0.0.0.0/0"
  rule_action              = "accept"
  rule_number              = 10
  source_cidr_block        = "0.0.0.0/0"
  traffic_direction        = "ingress"
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.mirror[0].id
}

resource "aws_ec2_traffic_mirror_filter_rule" "rule_ingress_20" {
  count = local.mirroring ? 1 : 0

  description              = "everything"
  destination_cidr_block   = "::/0"
  rule_action              = "accept"
  rule_number              = 20
  source_cidr_block        = "::/0"
  traffic_direction        = "ingress"
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.mirror[0].id
}

resource "aws_ec2_traffic_mirror_session" "source" {
  for_each = local.mirroring ? var.mirror_sources : {}

  description              = "${each.key} to sensors of ${var.name}"
  network_interface_id     = each.value
  packet_length            = var.packet_length > 0 ? var.packet_length : null
  session_number           = var.session_number
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.mirror[0].id
  traffic_mirror_target_id = local.balancer ? aws_ec2_traffic_mirror_target.balancer[0].id : aws_ec2_traffic_mirror_target.interface[0].id
  virtual_network_id       = var.virtual_network_id

  tags = {
    Name = each.key
  }

  lifecycle {
    precondition {
      condition     = local.balancer || length(var.mirror_sources) <= 10
      error_message = "An interface takes 10 sources: use target_kind nlb."
    }
  }

  depends_on = [
    aws_ec2_traffic_mirror_filter_rule.rule_ingress_10,
    aws_ec2_traffic_mirror_filter_rule.rule_ingress_20,
    aws_ec2_traffic_mirror_filter_rule.rule_egress_10,
    aws_ec2_traffic_mirror_filter_rule.rule_egress_20,
  ]
}

resource "aws_ec2_traffic_mirror_target" "balancer" {
  count = local.balancer ? 1 : 0

  description               = "Sensors of ${var.name}"
  network_load_balancer_arn = aws_lb.mirror[0].arn

  tags = {
    Name = "mirador-${var.name}"
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_lb_listener.mirror]
}

resource "aws_ec2_traffic_mirror_target" "interface" {
  count = local.mirroring && !local.balancer ? 1 : 0

  description          = "Sensors of ${var.name}"
  network_interface_id = aws_network_interface.traffic[0].id

  tags = {
    Name = "mirador-${var.name}"
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_network_interface_attachment.traffic]
}

resource "aws_iam_instance_profile" "sensor" {
  name_prefix = "${var.name}-sensor-"
  role        = aws_iam_role.sensor.name
}

resource "aws_iam_role" "sensor" {
  description = "What a sensor may look at"
  name_prefix = "${var.name}-sensor-"

  assume_role_policy = jsonencode({
    Statement = [
      {
        Action = "sts:AssumeRole"
        Effect = "Allow"
        Principal = {
          Service = "ec2.amazonaws.com"
        }
      },
    ]
    Version = "2012-10-17"
  })
}

resource "aws_iam_role_policy" "look" {
  name = "look"
  role = aws_iam_role.sensor.id

  policy = jsonencode({
    Statement = [
      {
        Action = [
          "cloudwatch:GetMetricData",
          "ec2:DescribeInstanceTypes",
          "ec2:DescribeInstances",
          "ec2:DescribeNetworkAcls",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeRouteTables",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSubnets",
          "ec2:DescribeTrafficMirrorFilters",
          "ec2:DescribeTrafficMirrorSessions",
          "ec2:DescribeTrafficMirrorTargets",
          "ec2:DescribeVpcEndpointServiceConfigurations",
          "ec2:DescribeVpcEndpoints",
          "ec2:DescribeVpcs",
          "ec2:GetManagedPrefixListEntries",
          "elasticloadbalancing:DescribeListeners",
          "elasticloadbalancing:DescribeLoadBalancerAttributes",
          "elasticloadbalancing:DescribeLoadBalancers",
          "elasticloadbalancing:DescribeTags",
          "elasticloadbalancing:DescribeTargetGroupAttributes",
          "elasticloadbalancing:DescribeTargetGroups",
          "elasticloadbalancing:DescribeTargetHealth",
          "sts:GetCallerIdentity",
        ]
        Effect   = "Allow"
        Resource = ["*"]
        Sid      = "Look"
      },
    ]
    Version = "2012-10-17"
  })
}

resource "aws_instance" "sensor" {
  ami                         = var.image_id != "" ? var.image_id : data.aws_ssm_parameter.image[0].insecure_value
  associate_public_ip_address = var.public_ip
  disable_api_termination     = var.api_termination_protection
  iam_instance_profile        = aws_iam_instance_profile.sensor.name
  instance_type               = var.instance_type != "" ? var.instance_type : (local.mirroring ? "m5.xlarge" : "m5.large")
  key_name                    = var.key_name != "" ? var.key_name : null
  subnet_id                   = var.subnet_id
  vpc_security_group_ids      = [aws_security_group.sensor.id]

  tags = {
    Name = var.name
  }

  user_data = templatefile("${path.module}/user-data.yaml.tftpl", {
    name          = var.name
    binary_url    = var.binary_url
    binary_sha256 = var.binary_sha256
  })

  lifecycle {
    ignore_changes = [ami]
  }

  metadata_options {
    http_put_response_hop_limit = 1
    http_tokens                 = "required"
  }

  root_block_device {
    encrypted   = true
    volume_size = var.volume_size
    volume_type = "gp3"
  }
}

resource "aws_lb" "mirror" {
  count = local.balancer ? 1 : 0

  enable_cross_zone_load_balancing = false
  internal                         = true
  load_balancer_type               = "network"
  name                             = "mirador-${var.name}"
  subnets                          = length(var.balancer_subnet_ids) > 0 ? var.balancer_subnet_ids : [var.subnet_id]

  tags = {
    Name = "mirador-${var.name}"
  }
}

resource "aws_lb_listener" "mirror" {
  count = local.balancer ? 1 : 0

  load_balancer_arn = aws_lb.mirror[0].arn
  port              = 4789
  protocol          = "UDP"

  tags = {
    Name = "mirador-${var.name}"
  }

  default_action {
    target_group_arn = aws_lb_target_group.mirror[0].arn
    type             = "forward"
  }
}

resource "aws_lb_target_group" "mirror" {
  count = local.balancer ? 1 : 0

  name        = "mirador-${var.name}"
  port        = 4789
  protocol    = "UDP"
  target_type = "ip"
  vpc_id      = var.vpc_id

  tags = {
    Name = "mirador-${var.name}"
  }

  health_check {
    healthy_threshold   = 2
    interval            = 10
    path                = "/api/2.0/status"
    port                = "80"
    protocol            = "HTTP"
    unhealthy_threshold = 2
  }

  stickiness {
    enabled = true
    type    = "source_ip"
  }
}

resource "aws_lb_target_group_attachment" "mirror" {
  count = local.balancer ? 1 : 0

  port             = 4789
  target_group_arn = aws_lb_target_group.mirror[0].arn
  target_id        = aws_network_interface.traffic[0].private_ip
}

resource "aws_network_interface" "traffic" {
  count = local.mirroring ? 1 : 0

  description     = "Traffic interface of the sensors of ${var.name}"
  security_groups = [aws_security_group.traffic[0].id]
  subnet_id       = var.subnet_id

  tags = {
    Name = "mirador-${var.name}-traffic"
  }
}

resource "aws_network_interface_attachment" "traffic" {
  count = local.mirroring ? 1 : 0

  device_index         = 1
  instance_id          = aws_instance.sensor.id
  network_interface_id = aws_network_interface.traffic[0].id
}

resource "aws_security_group" "sensor" {
  description = "Management of the sensor of ${var.name}"
  name        = "mirador-${var.name}-sensor"
  vpc_id      = var.vpc_id

  tags = {
    Name = var.name
  }
}

resource "aws_security_group" "traffic" {
  count = local.mirroring ? 1 : 0

  description = "Mirrored traffic to the sensors of ${var.name}"
  name        = "mirador-${var.name}-traffic"
  vpc_id      = var.vpc_id

  tags = {
    Name = "mirador-${var.name}-traffic"
  }
}

resource "aws_vpc_security_group_egress_rule" "sensor" {
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  security_group_id = aws_security_group.sensor.id
}

resource "aws_vpc_security_group_egress_rule" "traffic" {
  count = local.mirroring ? 1 : 0

  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  security_group_id = aws_security_group.traffic[0].id
}

resource "aws_vpc_security_group_ingress_rule" "health" {
  count = local.balancer ? 1 : 0

  cidr_ipv4         = var.health_cidr
  description       = "health check"
  from_port         = 80
  ip_protocol       = "tcp"
  security_group_id = aws_security_group.traffic[0].id
  to_port           = 80
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  count = var.ssh_cidr == "" ? 0 : 1

  cidr_ipv4         = var.ssh_cidr
  description       = "SSH"
  from_port         = 22
  ip_protocol       = "tcp"
  security_group_id = aws_security_group.sensor.id
  to_port           = 22
}

resource "aws_vpc_security_group_ingress_rule" "vxlan" {
  count = local.mirroring ? 1 : 0

  cidr_ipv4         = var.source_cidr
  description       = "mirrored traffic"
  from_port         = 4789
  ip_protocol       = "udp"
  security_group_id = aws_security_group.traffic[0].id
  to_port           = 4789
}
