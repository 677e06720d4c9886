package practice

import (
	"encoding/binary"
	"errors"
)

// errCBOR says that what an authenticator wrote can't be read.
var errCBOR = errors.New("this isn't CBOR as authenticators write it")

// maxCBORDepth is how deep authenticators nest what they write (CTAP 2.1, section 8).
const maxCBORDepth = 4

// readCBOR reads one item of the CBOR that authenticators write (RFC 8949 in CTAP2's canonical form), and returns what follows it:
// an int64, []byte, string, bool, nil, []any, or a map[any]any whose keys are numbers and texts.
func readCBOR(b []byte) (item any, rest []byte, err error) { return readCBORWithin(b, maxCBORDepth) }

func readCBORWithin(b []byte, depth int) (item any, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errCBOR
	}
	kind, short := b[0]>>5, b[0]&31
	b = b[1:]
	if kind == 7 { // false, true, null
		switch short {
		case 20, 21:
			return short == 21, b, nil
		case 22:
			return nil, b, nil
		}
		return nil, nil, errCBOR
	}
	n, b, err := readCBORNumber(b, short)
	if err != nil {
		return nil, nil, err
	}
	switch kind {
	case 0:
		return n, b, nil
	case 1:
		return -1 - n, b, nil
	case 2, 3:
		if n > int64(len(b)) {
			return nil, nil, errCBOR
		}
		if kind == 2 {
			return b[:n], b[n:], nil
		}
		return string(b[:n]), b[n:], nil
	case 4, 5:
		if depth == 0 || n > int64(len(b)) { // each takes at least one byte
			return nil, nil, errCBOR
		}
		if kind == 4 {
			return readCBORArray(b, n, depth-1)
		}
		return readCBORMap(b, n, depth-1)
	}
	return nil, nil, errCBOR // a tag: authenticators write none
}

// readCBORNumber reads the number that begins an item.
func readCBORNumber(b []byte, short byte) (n int64, rest []byte, err error) {
	if short < 24 {
		return int64(short), b, nil
	}
	if short > 27 {
		return 0, nil, errCBOR
	}
	size := 1 << (short - 24)
	if len(b) < size {
		return 0, nil, errCBOR
	}
	var wide [8]byte
	copy(wide[8-size:], b)
	if wide[0]&0x80 != 0 {
		return 0, nil, errCBOR // too large to be the length of anything
	}
	return int64(binary.BigEndian.Uint64(wide[:])), b[size:], nil
}

func readCBORArray(b []byte, n int64, depth int) (all []any, rest []byte, err error) {
	all = []any{}
	for range n {
		var item any
		if item, b, err = readCBORWithin(b, depth); err != nil {
			return nil, nil, err
		}
		all = append(all, item)
	}
	return all, b, nil
}

func readCBORMap(b []byte, n int64, depth int) (all map[any]any, rest []byte, err error) {
	all = map[any]any{}
	for range n {
		var key, value any
		if key, b, err = readCBORWithin(b, 0); err != nil {
			return nil, nil, err
		}
		switch key.(type) {
		case int64, string:
		default:
			return nil, nil, errCBOR
		}
		if _, twice := all[key]; twice {
			return nil, nil, errCBOR
		}
		if value, b, err = readCBORWithin(b, depth); err != nil {
			return nil, nil, err
		}
		all[key] = value
	}
	return all, b, nil
}
