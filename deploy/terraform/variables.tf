# A sensor with traffic mirroring. Made by: mirador aws deploy

variable "name" {
  default     = "sensor"
  description = "Name of the sensor and part of the names of what is made"
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "Small letters, digits and dashes, at most 20."
  }
}

variable "vpc_id" {
  description = "VPC of the sensor"
  type        = string
}

variable "subnet_id" {
  description = "Subnet of the sensor and its traffic interface; it does not decide what is mirrored"
  type        = string
}

variable "instance_type" {
  default     = ""
  description = "Instance type; empty: m5.xlarge with traffic mirroring, m5.large without"
  type        = string
}

variable "image_id" {
  default     = ""
  description = "Image; empty: Amazon Linux 2023"
  type        = string
}

variable "volume_size" {
  default     = 100
  description = "Size of the volume in GiB"
  type        = number
}

variable "binary_url" {
  description = "https address of the program mirador for Linux"
  type        = string

  validation {
    condition     = can(regex("^https://[A-Za-z0-9./_~%?&=+:@-]+$", var.binary_url))
    error_message = "An https address."
  }
}

variable "binary_sha256" {
  description = "SHA-256 of the program"
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.binary_sha256))
    error_message = "64 hexadecimal digits."
  }
}

variable "api_termination_protection" {
  default     = true
  description = "Protect the sensor from being terminated"
  type        = bool
}

variable "public_ip" {
  default     = false
  description = "Give the sensor a public address"
  type        = bool
}

variable "key_name" {
  default     = ""
  description = "Key pair for SSH; empty: none"
  type        = string
}

variable "ssh_cidr" {
  default     = ""
  description = "CIDR that may use SSH; empty: nobody"
  type        = string
}

variable "enable_traffic_mirroring" {
  default     = true
  description = "Enable Traffic Mirroring: a traffic interface, a mirror target, a filter, and sessions"
  type        = bool
}

variable "target_kind" {
  default     = "eni"
  description = "What sessions send to: the traffic interface (eni, 10 sources) or a network load balancer (nlb)"
  type        = string

  validation {
    condition     = contains(["eni", "nlb"], var.target_kind)
    error_message = "eni or nlb."
  }
}

variable "source_cidr" {
  default     = "10.0.0.0/8"
  description = "CIDR that mirrored traffic comes from: the subnets of the sources"
  type        = string
}

variable "health_cidr" {
  default     = "10.0.0.0/8"
  description = "nlb: CIDR of the subnets of the load balancer, for its health checks"
  type        = string
}

variable "balancer_subnet_ids" {
  default     = []
  description = "nlb: subnets of the load balancer, one in each zone; empty: that of the sensor"
  type        = list(string)
}

variable "virtual_network_id" {
  default     = 1169
  description = "VXLAN network identifier of the sessions"
  type        = number
}

variable "session_number" {
  default     = 1
  description = "Number of the sessions; a source takes packets to its lowest first"
  type        = number
}

variable "packet_length" {
  default     = 0
  description = "Bytes of a frame that are mirrored; 0: all"
  type        = number
}

variable "mirror_sources" {
  default     = {}
  description = "Network interfaces to mirror (eni-...), by a name of your choice"
  type        = map(string)
}
