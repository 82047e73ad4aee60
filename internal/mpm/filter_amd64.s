#include "textflag.h"

// The byte shuffle that makes eight windows of four bytes from sixteen bytes in both
// lanes.
DATA windows<>+0(SB)/8, $0x0403020103020100
DATA windows<>+8(SB)/8, $0x0605040305040302
DATA windows<>+16(SB)/8, $0x0807060507060504
DATA windows<>+24(SB)/8, $0x0a09080709080706
GLOBL windows<>(SB), RODATA|NOPTR, $32

// func candidatesAVX2(v *vector, data *byte, end, i int, out *[batch]uint32) (n, next int)
TEXT ·candidatesAVX2(SB), NOSPLIT, $0-56
	MOVQ v+0(FP), AX
	MOVQ data+8(FP), SI
	MOVQ end+16(FP), R9
	MOVQ i+24(FP), BX
	MOVQ out+32(FP), DI
	MOVQ 0(AX), R8            // table
	MOVQ 8(AX), X6            // shift
	VPBROADCASTD 16(AX), Y7   // mult
	VPBROADCASTD 20(AX), Y12  // mask
	VMOVDQU 24(AX), Y9        // behind
	XORQ CX, CX               // number of candidates
	VMOVDQU windows<>(SB), Y8
	MOVL $0x20202020, AX
	VMOVD AX, X10
	VPBROADCASTD X10, Y10     // case fold
	MOVL $7, AX
	VMOVD AX, X11
	VPBROADCASTD X11, Y11
	LEAQ -24(R9), R10         // last position whose 24 bytes are there

loop:
	CMPQ BX, R10
	JGT done
	CMPQ CX, $(64-16)
	JGT done
	VBROADCASTI128 (SI)(BX*1), Y0
	VBROADCASTI128 8(SI)(BX*1), Y14
	VPSHUFB Y8, Y0, Y1
	VPSHUFB Y8, Y14, Y13
	VPOR Y10, Y1, Y1
	VPOR Y10, Y13, Y13
	VPAND Y12, Y1, Y1
	VPAND Y12, Y13, Y13
	VPMULLD Y7, Y1, Y1
	VPMULLD Y7, Y13, Y13
	VPSHUFB Y9, Y0, Y2
	VPSHUFB Y9, Y14, Y14
	VPSRLD X6, Y1, Y1
	VPSRLD X6, Y13, Y13
	VPCMPEQD Y4, Y4, Y4
	VPCMPEQD Y5, Y5, Y5
	VPGATHERDD Y4, (R8)(Y1*1), Y3
	VPGATHERDD Y5, (R8)(Y13*1), Y15
	VPAND Y11, Y2, Y2
	VPAND Y11, Y14, Y14
	VPSRLVD Y2, Y3, Y3
	VPSRLVD Y14, Y15, Y15
	VPSLLD $31, Y3, Y3
	VPSLLD $31, Y15, Y15
	VMOVMSKPS Y3, AX
	VMOVMSKPS Y15, DX
	SHLL $8, DX
	ORL DX, AX
	JZ none

each:
	BSFL AX, DX
	ADDL BX, DX
	MOVL DX, (DI)(CX*4)
	INCQ CX
	LEAL -1(AX), DX
	ANDL DX, AX
	JNZ each

none:
	ADDQ $16, BX
	JMP loop

done:
	VZEROUPPER
	MOVQ CX, n+40(FP)
	MOVQ BX, next+48(FP)
	RET
