package mail

import (
	"bytes"
	"errors"
)

// Slots stand in a frozen letter where its secrets will stand, so that the database holds no live link. They have the length
// and the alphabet of a secret, 256 bits in unpadded base64url: filling one changes no line break.
const (
	Slot         = "your-private-link-goes-here-when-it-is-sent" // of the link that the message is about
	NotMeantSlot = "where-who-got-this-by-mistake-can-say-so-it" // of the letter's own link, below the message
)

// Errors of Fill.
var (
	ErrSecret = errors.New("mail: a link's secret is 43 characters of base64url")
	ErrNoSlot = errors.New("mail: the letter has no slot for a link")
)

// Secrets are what the slots of one letter are filled with. An empty one leaves its slot as it is.
type Secrets struct{ Link, NotMeant string }

// Fill returns a copy of a frozen letter with its secrets in the place of each of their slots in its body: the very bytes
// that composing with them would have given.
func Fill(frozen []byte, s Secrets) ([]byte, error) {
	filled := bytes.Clone(frozen)
	for _, one := range []struct{ slot, secret string }{{Slot, s.Link}, {NotMeantSlot, s.NotMeant}} {
		if one.secret == "" {
			continue
		}
		if err := fill(filled, frozen, one.slot, one.secret); err != nil {
			return nil, err
		}
	}
	return filled, nil
}

// fill looks for a slot in the frozen letter, where no secret stands yet that could look like it.
func fill(filled, frozen []byte, slot, secret string) error {
	if !isSecret(secret) {
		return ErrSecret
	}
	_, body, _ := bytes.Cut(frozen, []byte("\r\n\r\n"))
	found := false
	var at [len(Slot)]int
	for i := len(frozen) - len(body); i < len(frozen); i++ {
		if frozen[i] != slot[0] || !slotAt(frozen, i, slot, &at) {
			continue
		}
		for k, place := range at {
			filled[place] = secret[k]
		}
		found, i = true, at[len(slot)-1]
	}
	if !found {
		return ErrNoSlot
	}
	return nil
}

// slotAt reports whether a slot begins at i, and where each of its characters is: quoted-printable may have broken the line
// anywhere between them.
func slotAt(b []byte, i int, slot string, at *[len(Slot)]int) bool {
	for k := range len(slot) {
		if k > 0 && bytes.HasPrefix(b[i:], []byte("=\r\n")) {
			i += len("=\r\n")
		}
		if i >= len(b) || b[i] != slot[k] {
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
