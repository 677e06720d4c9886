package cast

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
)

// Authenticator is somebody's device with its passkeys, and the browser in front of it. It does what it is asked, right or wrong:
// the fields say in what its next answers differ from an honest one's.
type Authenticator struct {
	Origin    string // that the browser vouches for
	Site      string // to which the device believes that it answers; empty: that which asks
	Flags     byte   // of the device's flags, those that are turned over
	Counts    bool   // the device counts its uses
	Start     uint32 // from here
	Algorithm int64  // of the keys that it makes: COSE's number

	Spoil func(*ClientData) // changes what the browser says, before it is signed

	Keys []*DeviceKey
}

// DeviceKey is a passkey on a device.
type DeviceKey struct {
	ID      []byte
	Site    string
	Handle  []byte
	Counter uint32
	private crypto.Signer
	alg     int64
}

// ClientData is what a browser says that it was asked.
type ClientData struct {
	Type        string `json:"type"`
	Challenge   string `json:"challenge"`
	Origin      string `json:"origin"`
	CrossOrigin bool   `json:"crossOrigin"`
	TopOrigin   string `json:"topOrigin,omitempty"`
}

// COSE's numbers of algorithms.
const (
	ES256 = -7
	EdDSA = -8
	RS256 = -257
	ES384 = -35
)

// NewAuthenticator is a device in front of the cast's site, without passkeys.
func NewAuthenticator() *Authenticator {
	return &Authenticator{Origin: Public.String(), Counts: true, Algorithm: ES256}
}

type askedOptions struct {
	Challenge string
	RP        struct{ ID string }
	RPID      string `json:"rpId"`
	User      struct{ ID string }
	Allow     []struct{ ID string } `json:"allowCredentials"`
	Exclude   []struct{ ID string } `json:"excludeCredentials"`
}

// answer is PublicKeyCredential.toJSON of a browser.
type answer struct {
	Type     string         `json:"type"`
	ID       string         `json:"id"`
	RawID    string         `json:"rawId"`
	Response map[string]any `json:"response"`
	Results  struct{}       `json:"clientExtensionResults"`
}

// What an authenticator says of itself.
const (
	UserPresent  = 1 << 0
	UserVerified = 1 << 2
	MayBackUp    = 1 << 3
	BackedUp     = 1 << 4
	HoldsKey     = 1 << 6
)

// Make makes a passkey as options (JSON) ask, and returns the browser's answer; empty when the device holds one of those that
// are excluded.
func (a *Authenticator) Make(options []byte) string {
	o := read(options)
	for _, e := range o.Exclude {
		if a.key(e.ID) != nil {
			return ""
		}
	}
	key := &DeviceKey{ID: make([]byte, 32), Site: o.RP.ID, Handle: decode(o.User.ID), alg: a.Algorithm}
	rand.Read(key.ID)
	key.private = newKey(a.Algorithm)
	if a.Counts {
		key.Counter = a.Start
	}
	a.Keys = append(a.Keys, key)
	said := a.says(key, HoldsKey)
	said = append(said, make([]byte, 16)...) // of no model
	said = binary.BigEndian.AppendUint16(said, uint16(len(key.ID)))
	said = append(append(said, key.ID...), key.cose()...)
	object := []byte{0xa3} // {"fmt": "none", "attStmt": {}, "authData": said}
	object = append(object, "\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"...)
	object = append(binary.BigEndian.AppendUint16(object, uint16(len(said))), said...)
	return key.answer(map[string]any{"clientDataJSON": encode(a.client(o, "webauthn.create")), "attestationObject": encode(object),
		"transports": []string{"internal"}})
}

// Sign answers options (JSON) with the newest passkey that they allow; empty when there is none.
func (a *Authenticator) Sign(options []byte) string {
	o := read(options)
	for _, key := range slices.Backward(a.Keys) {
		if key.Site != o.RPID || len(o.Allow) > 0 && !slices.ContainsFunc(o.Allow, func(c struct{ ID string }) bool { return c.ID == encode(key.ID) }) {
			continue
		}
		return a.SignWith(key, options)
	}
	return ""
}

// SignWith answers options (JSON) with a passkey, allowed or not.
func (a *Authenticator) SignWith(key *DeviceKey, options []byte) string {
	if a.Counts {
		key.Counter++
	}
	said, client := a.says(key, 0), a.client(read(options), "webauthn.get")
	hash := sha256.Sum256(client)
	text := append(bytes.Clone(said), hash[:]...)
	sum := sha256.Sum256(text)
	signature, err := key.private.Sign(rand.Reader, sum[:], crypto.SHA256)
	if key.alg == EdDSA {
		signature, err = key.private.Sign(nil, text, crypto.Hash(0))
	}
	if err != nil {
		panic(err)
	}
	return key.answer(map[string]any{"clientDataJSON": encode(client), "authenticatorData": encode(said), "signature": encode(signature),
		"userHandle": encode(key.Handle)})
}

func (k *DeviceKey) answer(response map[string]any) string {
	return string(marshal(answer{Type: "public-key", ID: encode(k.ID), RawID: encode(k.ID), Response: response}))
}

func (a *Authenticator) key(id string) *DeviceKey {
	for _, k := range a.Keys {
		if encode(k.ID) == id {
			return k
		}
	}
	return nil
}

// says is what the device says and signs.
func (a *Authenticator) says(key *DeviceKey, flags byte) []byte {
	site := key.Site
	if a.Site != "" {
		site = a.Site
	}
	hash := sha256.Sum256([]byte(site))
	said := append(hash[:], (flags|UserPresent|UserVerified)^a.Flags)
	return binary.BigEndian.AppendUint32(said, key.Counter)
}

func (a *Authenticator) client(o askedOptions, what string) []byte {
	c := ClientData{Type: what, Challenge: o.Challenge, Origin: a.Origin}
	if a.Spoil != nil {
		a.Spoil(&c)
	}
	return marshal(c)
}

func newKey(alg int64) crypto.Signer {
	var key crypto.Signer
	var err error
	switch alg {
	case ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case RS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		panic(err)
	}
	return key
}

// cose is the public key as an authenticator writes it: a map in CBOR.
func (k *DeviceKey) cose() []byte {
	switch public := k.private.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err)
		}
		size := (len(point) - 1) / 2
		head := []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01} // kty EC2, alg ES256, crv P-256
		if k.alg == ES384 {
			head = []byte{0xa5, 0x01, 0x02, 0x03, 0x38, 0x22, 0x20, 0x02}
		}
		head = append(append(head, 0x21, 0x58, byte(size)), point[1:1+size]...)
		return append(append(head, 0x22, 0x58, byte(size)), point[1+size:]...)
	case ed25519.PublicKey:
		return append([]byte{0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20}, public...) // kty OKP, alg EdDSA, crv Ed25519
	case *rsa.PublicKey:
		head := append([]byte{0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59, 0x01, 0x00}, public.N.Bytes()...) // kty RSA, alg RS256
		return append(head, 0x21, 0x43, 0x01, 0x00, 0x01)
	}
	panic("no such key")
}

func read(options []byte) (o askedOptions) {
	if err := json.Unmarshal(options, &o); err != nil {
		panic(err)
	}
	return o
}

func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
