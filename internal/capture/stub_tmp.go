package capture

type ringBlock struct{}

func (*ringBlock) release() {}

type udpBuffers struct{}
