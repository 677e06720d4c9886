package practice

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// Examples of RFC 8949, appendix A, that authenticators could write, and what they never do.
func TestReadCBOR(t *testing.T) {
	for text, want := range map[string]any{
		"00": int64(0), "17": int64(23), "1818": int64(24), "190100": int64(256), "1a000f4240": int64(1000000), "1b000000e8d4a51000": int64(1000000000000),
		"20": int64(-1), "3863": int64(-100), "390100": int64(-257), "f4": false, "f5": true, "f6": nil,
		"4401020304": []byte{1, 2, 3, 4}, "60": "", "6449455446": "IETF", "62c3bc": "ü",
		"80": []any{}, "83010203": []any{int64(1), int64(2), int64(3)}, "a0": map[any]any{},
		"a201020304": map[any]any{int64(1): int64(2), int64(3): int64(4)}, "a26161016162820203": map[any]any{"a": int64(1), "b": []any{int64(2), int64(3)}},
	} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, rest, err := readCBOR(append(raw, 0xff))
		if err != nil || len(rest) != 1 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v, %v", text, got, rest, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "cut number": "19", "cut text": "6449", "cut bytes": "44010203", "cut array": "830102", "cut map": "a10a", "longer than there is": "9a00ffffff",
		"too long for any": "5bffffffffffffffff", "a length that is none": "5c", "of no known end": "9fff", "a tag": "c000", "a fraction": "f97e00", "undefined": "f7",
		"twice the same": "a201020103", "an array as a key": "a1800a", "bytes as a key": "a141000a", "too deep": strings.Repeat("81", 5) + "00",
	} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := readCBOR(raw); err == nil {
			t.Errorf("%s is read as %v", name, got)
		}
	}
}

// Whatever is sent as an answer, nothing falls over it and nothing of it is a passkey.
func FuzzPasskeyAnswer(f *testing.F) {
	f.Add([]byte{0xa3, 0x63, 'f', 'm', 't', 0x64, 'n', 'o', 'n', 'e'})
	f.Add([]byte(strings.Repeat("\x81", 100)))
	rp := relyingParty{"localhost", "http://localhost"}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, rest, err := readCBOR(raw); err == nil && len(rest) >= len(raw) {
			t.Error("read without reading")
		}
		answer := passkeyAnswer{ID: raw}
		answer.Response.ClientData = []byte(`{"type":"webauthn.create","challenge":"AAAA","origin":"http://localhost"}`)
		answer.Response.Attestation = raw
		if _, err := rp.made([]byte{0, 0, 0}, answer); err == nil {
			t.Error("taken")
		}
	})
}
