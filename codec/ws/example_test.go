package ws

import "fmt"

// A server reads what has arrived: a message, and the beginning of another.
func ExampleReader_Receive() {
	key := [4]byte{1, 2, 3, 4}
	b := AppendMaskedFrame(nil, OpText, true, key, []byte("Hello"))
	b = append(b, AppendMaskedFrame(nil, OpPing, true, key, nil)...)
	b = append(b, 0x81) // one byte of the next frame

	var r Reader
	var ev Event
	for len(b) > 0 {
		n, err := r.Receive(b, nil, &ev)
		if err != nil {
			fmt.Println(err) // send a close frame with its code
			return
		}
		switch ev.Kind {
		case Data:
			fmt.Printf("%s, first %v, final %v\n", ev.Payload, ev.First, ev.Final)
		case Ping:
			fmt.Printf("answer % x\n", AppendFrame(nil, OpPong, true, ev.Payload))
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	fmt.Printf("keep % x\n", b)
	// Output:
	// Hello, first true, final true
	// answer 8a 00
	// keep 81
}

func ExampleAssembler_Add() {
	var a Assembler
	for _, ev := range []Event{
		{Kind: Data, Op: OpText, Payload: []byte("Hel"), First: true},
		{Kind: Data, Op: OpText, Payload: []byte("lo"), Final: true},
	} {
		msg, done, err := a.Add(&ev, 1<<20)
		if err != nil {
			fmt.Println(err)
			return
		}
		if done {
			fmt.Printf("%s\n", msg)
			a.Release() // msg is gone
		}
	}
	// Output: Hello
}

func ExampleAppendFrame() {
	fmt.Printf("% x\n", AppendFrame(nil, OpText, true, []byte("Hello")))
	// Output: 81 05 48 65 6c 6c 6f
}

func ExampleAppendMaskedFrame() {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d} // of MaskKeys.Next
	fmt.Printf("% x\n", AppendMaskedFrame(nil, OpText, true, key, []byte("Hello")))
	// Output: 81 85 37 fa 21 3d 7f 9f 4d 51 58
}

// A payload too long to copy is written from where it is, behind its header.
func ExampleAppendHeader() {
	payload := make([]byte, 1<<20)
	header := AppendHeader(nil, OpBinary, true, false, len(payload))
	fmt.Printf("% x\n", header)
	// Output: 82 7f 00 00 00 00 00 10 00 00
}

func ExampleAppendMaskedHeader() {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	payload := []byte("Hello") // ours to change
	header := AppendMaskedHeader(nil, OpText, true, false, key, len(payload))
	MaskInPlace(payload, key, 0)
	fmt.Printf("% x, % x\n", header, payload)
	// Output: 81 85 37 fa 21 3d, 7f 9f 4d 51 58
}

func ExampleAppendClose() {
	fmt.Printf("% x\n", AppendClose(nil, StatusGoingAway, "bye"))
	// Output: 88 05 03 e9 62 79 65
}

func ExampleAppendMaskedClose() {
	fmt.Printf("% x\n", AppendMaskedClose(nil, [4]byte{1, 2, 3, 4}, StatusNormalClosure, ""))
	// Output: 88 82 01 02 03 04 02 ea
}

func ExampleValidCloseCode() {
	fmt.Println(ValidCloseCode(StatusTryAgainLater), ValidCloseCode(StatusAbnormalClosure))
	// Output: true false
}
