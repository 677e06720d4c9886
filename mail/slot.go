package mail

import (
	"bytes"
	"errors"
)

// Slot stands in a frozen letter where the secret of its link will stand, so
// that the database holds no live link. It has the length and the alphabet of
// a secret, 256 bits in unpadded base64url: filling it changes no line break.
const Slot = "your-private-link-goes-here-when-it-is-sent"

// Errors of Fill.
var (
	ErrSecret = errors.New("mail: a link's secret is 43 characters of base64url")
	ErrNoSlot = errors.New("mail: the letter has no slot for a link")
)

// Fill returns a copy of a frozen letter with secret in the place of each slot
// in its body: the very bytes that composing with the secret would have given.
func Fill(frozen []byte, secret string) ([]byte, error) {
	if !isSecret(secret) {
		return nil, ErrSecret
	}
	_, body, _ := bytes.Cut(frozen, []byte("\r\n\r\n"))
	filled := bytes.Clone(frozen)
	found := false
	var at [len(Slot)]int
	for i := len(frozen) - len(body); i < len(frozen); i++ {
		if frozen[i] != Slot[0] || !slotAt(frozen, i, &at) {
			continue
		}
		for k, place := range at {
			filled[place] = secret[k]
		}
		found, i = true, at[len(Slot)-1]
	}
	if !found {
		return nil, ErrNoSlot
	}
	return filled, nil
}

// slotAt reports whether a slot begins at i, and where each of its characters
// is: quoted-printable may have broken the line anywhere between them.
func slotAt(b []byte, i int, at *[len(Slot)]int) bool {
	for k := range len(Slot) {
		if k > 0 && bytes.HasPrefix(b[i:], []byte("=\r\n")) {
			i += len("=\r\n")
		}
		if i >= len(b) || b[i] != Slot[k] {
			return false
		}
		at[k] = i
		i++
	}
	return true
}

func isSecret(s string) bool {
	if len(s) != len(Slot) {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
