package dnp3

// objectSpec describes the points of some objects: their group.variation numbers,
// and their fields in the order on the wire.
//
// A field is name:width in bits, one bit when there is no width; a letter behind it
// says signed (s) or IEEE 754 (f), else it is unsigned. "*" stands for the five
// flags that most objects begin with. name:tN and name:bN are text and binary data
// as long as field number N (from 0) says, t* and b* up to the end of the size that
// the point was announced with; cN is text of N bytes that ends at a NUL.
type objectSpec struct{ ids, fields string }

// flagNames is what "*" stands for.
const flagNames = "online,restart,comm_lost,remote_forced,local_forced"

// packedSpecs are the objects whose points are bits in a row, with their width.
func packedSpecs() map[uint16]uint {
	return map[uint16]uint{1<<8 | 1: 1, 3<<8 | 1: 2, 10<<8 | 1: 1, 12<<8 | 3: 1, 80<<8 | 1: 1}
}

// objectSpecs is the table of known objects. IEEE 1815, annex A; the names of the
// fields are those of EVE.
func objectSpecs() []objectSpec {
	return []objectSpec{
		{"1.2", "*,chatter_filter,reserved,state"},
		{"2.1", "state:8"},
		{"2.2", "*,chatter_filter,reserved,state,timestamp:48"},
		{"2.3", "*,chatter_filter,reserved,state,timestamp:16"},
		{"3.2 4.1", "*,chatter_filter,state:2"},
		{"4.2", "*,chatter_filter,state:2,timestamp:48"},
		{"4.3", "*,chatter_filter,state:2,relative_time_ms:16"},
		{"10.2 11.1", "*,reserved0,reserved1,state"},
		{"11.2", "*,reserved0,reserved1,state,timestamp:48"},
		{"12.1 12.2", "op_type:4,qu,cr,tcc:2,count:8,ontime:32,offtime:32,status_code:7,reserved"},
		{"13.1", "status_code:7,commanded_state"},
		{"13.2", "status_code:7,commanded_state,timestamp:48"},
		{"20.1 21.1 22.1 23.1", "*,rollover,discontinuity,reserved0,count:32"},
		{"20.2 21.2 22.2", "*,rollover,discontinuity,reserved0,count:16"},
		{"20.3 21.3 22.3 23.3", "*,rollover,reserved0,reserved1,count:32"},
		{"20.4 21.4 22.4 23.2 23.4", "*,rollover,reserved0,reserved1,count:16"},
		{"20.5 20.7 21.9 21.11", "count:32"},
		{"20.6 20.8 21.10 21.12", "count:16"},
		{"21.5", "*,rollover,discontinuity,reserved1,count:32,timestamp:48"},
		{"21.6", "*,rollover,discontinuity,reserved1,count:16,timestamp:48"},
		{"21.7 22.5 22.7 23.7", "*,rollover,reserved0,reserved1,count:32,timestamp:48"},
		{"21.8 22.8 23.8", "*,rollover,reserved0,reserved1,count:16,timestamp:48"},
		{"22.6 23.6", "*,rollover,discontinuity,reserved0,count:16,timestamp:48"},
		{"23.5", "*,rollover,discontinuity,reserved0,count:32,timestamp:48"},
		{"30.1 31.1 32.1 33.1 40.1 42.1", "*,over_range,reference_err,reserved0,value:32s"},
		{"30.2 31.2 32.2 33.2 40.2 42.2", "*,over_range,reference_err,reserved0,value:16s"},
		{"30.3 31.5", "value:32s"},
		{"30.4 31.6", "value:16s"},
		{"30.5 31.7 32.5 33.5 40.3 42.5", "*,over_range,reference_err,reserved0,value:32f"},
		{"30.6 31.8 32.6 33.6 40.4 42.6", "*,over_range,reference_err,reserved0,value:64f"},
		{"31.3 32.3 33.3 42.3", "*,over_range,reference_err,reserved0,value:32s,timestamp:48"},
		{"31.4 32.4 33.4 42.4", "*,over_range,reference_err,reserved0,value:16s,timestamp:48"},
		{"32.7 33.7 42.7", "*,over_range,reference_err,reserved0,value:32f,timestamp:48"},
		{"32.8 33.8 42.8", "*,over_range,reference_err,reserved0,value:64f,timestamp:48"},
		{"34.1", "deadband_value:16"},
		{"34.2", "deadband_value:32"},
		{"34.3", "deadband_value:32f"},
		{"41.1", "value:32s,control_status:8"},
		{"41.2", "value:16s,control_status:8"},
		{"41.3", "value:32f,control_status:8"},
		{"41.4", "value:64f,control_status:8"},
		{"43.1", "status_code:7,reserved0,commanded_value:32s"},
		{"43.2", "status_code:7,reserved0,commanded_value:16s"},
		{"43.3", "status_code:7,reserved0,commanded_value:32s,timestamp:48"},
		{"43.4", "status_code:7,reserved0,commanded_value:16s,timestamp:48"},
		{"43.5", "status_code:7,reserved0,commanded_value:32f"},
		{"43.6", "status_code:7,reserved0,commanded_value:64f"},
		{"43.7", "status_code:7,reserved0,commanded_value:32f,timestamp:48"},
		{"43.8", "status_code:7,reserved0,commanded_value:64f,timestamp:48"},
		{"50.1 50.3 51.1 51.2", "timestamp:48"},
		{"50.2", "timestamp:48,interval:32"},
		{"50.4", "timestamp:48,interval_count:32,interval_units:8"},
		{"52.1", "delay_secs:16"},
		{"52.2", "delay_ms:16"},
		{"81.1", "fill_percentage:7,overflow_state,group:8,variation:8"},
		{"86.2", "rd,wr,st,ev,df,padding0,padding1,padding2"},
		{"102.1", "value:8"},
		{"120.3", "csq:32,user_number:16"},
		{"120.4", "user_number:16"},
		{"121.1 122.1", "*,reserved0,discontinuity,reserved1,association_id:16,count_value:32"},
		{"122.2", "*,reserved0,discontinuity,reserved1,association_id:16,count_value:32,timestamp:48"},
		{"70.2", "username_offset:16,username_size:16,password_offset:16,password_size:16,authentication_key:32,username:t1,password:t3"},
		{"70.3", "filename_offset:16,filename_size:16,created:48,permissions:16,authentication_key:32,file_size:32,operational_mode:16,maximum_block_size:16,request_id:16,filename:t1"},
		{"70.4", "file_handle:32,file_size:32,maximum_block_size:16,request_id:16,status_code:8,optional_text:t*"},
		{"70.5", "file_handle:32,block_number:32,file_data:t*"},
		{"70.6", "file_handle:32,block_number:32,status_code:8,optional_text:t*"},
		{"70.7", "filename_offset:16,filename_size:16,file_type:16,file_size:32,created_timestamp:48,permissions:16,request_id:16,filename:t1"},
		{"70.8", "file_specification:t*"},
		{"83.1", "data->vendor_code:c4,object_id:16,length:16,data->data_objects:b2"},
		{"120.1", "csq:32,usr:16,mal:8,reason:8,data->challenge_data:b*"},
		{"120.2", "csq:32,usr:16,data->mac_value:b*"},
		{"120.5", "ksq:32,user_number:16,key_wrap_alg:8,key_status:8,mal:8,challenge_data_len:16,data->challenge_data:b5,data->mac_value:b*"},
		{"120.6", "ksq:24,usr:16,data->wrapped_key_data:b*"},
		{"120.7", "sequence_number:32,usr:16,association_id:16,error_code:8,time_of_error:48,error_text:t*"},
		{"120.8", "key_change_method:8,certificate_type:8,data->certificate:b*"},
		{"120.9", "data->mac_value:b*"},
		{"120.10", "key_change_method:8,operation:8,scs:32,user_role:16,user_role_expiry_interval:16,username_len:16,user_public_key_len:16,certification_data_len:16,username:t5,data->user_public_key:b6,data->certification_data:b7"},
		{"120.11", "key_change_method:8,username_len:16,master_challenge_data_len:16,username:t1,data->master_challenge_data:b2"},
		{"120.12", "ksq:32,user_number:16,challenge_data_len:16,data->challenge_data:b2"},
		{"120.13", "ksq:32,user_number:16,encrypted_update_key_len:16,data->encrypted_update_key_data:b2"},
		{"120.14", "data->digital_signature:b*"},
		{"120.15", "data->mac:b*"},
	}
}
