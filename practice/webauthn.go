package practice

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"net/url"
	"slices"

	"anteroom/db"

	"golang.org/x/net/idna"
)

// This file is what Web Authentication asks of a site, for the one kind of passkey that is taken here: one that is kept where
// its owner finds it again without being asked for an address, that is used only after their fingerprint, face or PIN, and of
// which nobody asks who made it (attestation "none"). The steps are those of Web Authentication Level 3, sections 7.1 and 7.2.

// relyingParty is this site as browsers and passkeys know it.
type relyingParty struct {
	id     string // the host's name, to which passkeys are bound
	origin string // the address of which browsers vouch that it asked
}

// newRelyingParty returns none where the host has no name but an IP address: browsers know no passkeys there.
func newRelyingParty(public *url.URL) *relyingParty {
	if public == nil {
		return nil
	}
	host, err := idna.Lookup.ToASCII(public.Hostname())
	if _, fault := netip.ParseAddr(host); err != nil || fault == nil {
		return nil
	}
	rp := &relyingParty{host, public.Scheme + "://" + host}
	if port := public.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[public.Scheme] {
		rp.origin += ":" + port
	}
	return rp
}

// base64url is how bytes stand in what scripts and sites send each other about passkeys.
type base64url []byte

func (b base64url) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

func (b *base64url) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	return err
}

// PasskeyOptions is what a browser is asked for: to make a passkey, or to sign the challenge with one.
type PasskeyOptions struct {
	Challenge base64url `json:"challenge"`
	Timeout   int64     `json:"timeout"` // milliseconds

	// To make one
	RP         *passkeyRP         `json:"rp,omitempty"`
	User       *passkeyUser       `json:"user,omitempty"`
	Algorithms []passkeyAlgorithm `json:"pubKeyCredParams,omitempty"`
	Exclude    []passkeyID        `json:"excludeCredentials,omitempty"`
	Selection  *passkeySelection  `json:"authenticatorSelection,omitempty"`
	Attest     string             `json:"attestation,omitempty"`

	// To sign with one
	RPID         string      `json:"rpId,omitempty"`
	Allow        []passkeyID `json:"allowCredentials,omitempty"` // none: any that is bound to this site
	Verification string      `json:"userVerification,omitempty"`
}

type passkeyRP struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type passkeyUser struct {
	ID          base64url `json:"id"`
	Name        string    `json:"name"`
	DisplayName string    `json:"displayName"`
}

type passkeyAlgorithm struct {
	Type string `json:"type"`
	Alg  int64  `json:"alg"`
}

type passkeyID struct {
	Type       string    `json:"type"`
	ID         base64url `json:"id"`
	Transports []string  `json:"transports,omitempty"`
}

type passkeySelection struct {
	ResidentKey        string `json:"residentKey"`
	RequireResidentKey bool   `json:"requireResidentKey"` // the same, for browsers of the first level
	UserVerification   string `json:"userVerification"`
}

// publicKeyType is the one type of credential that there is.
const publicKeyType = "public-key"

// COSE's numbers of the algorithms that are taken: what Level 3 recommends, and authenticators make.
const (
	es256 = -7
	eddsa = -8
	rs256 = -257
)

// toMake asks for a new passkey of a person, beside those that they have.
func (rp relyingParty) toMake(challenge []byte, practice string, user passkeyUser, have []db.Passkey) PasskeyOptions {
	o := PasskeyOptions{Challenge: challenge, Timeout: ChallengeLife.Milliseconds(), RP: &passkeyRP{rp.id, practice}, User: &user,
		Exclude: passkeyIDs(have), Selection: &passkeySelection{"required", true, "required"}, Attest: "none"}
	for _, alg := range []int64{es256, eddsa, rs256} {
		o.Algorithms = append(o.Algorithms, passkeyAlgorithm{publicKeyType, alg})
	}
	return o
}

// toSign asks for a signature by one of these passkeys, or by any where none are named.
func (rp relyingParty) toSign(challenge []byte, allowed []db.Passkey) PasskeyOptions {
	return PasskeyOptions{Challenge: challenge, Timeout: ChallengeLife.Milliseconds(), RPID: rp.id, Allow: passkeyIDs(allowed), Verification: "required"}
}

func passkeyIDs(all []db.Passkey) (names []passkeyID) {
	for _, k := range all {
		names = append(names, passkeyID{publicKeyType, k.Credential.ID, k.Credential.Transports})
	}
	return names
}

// passkeyAnswer is what a browser sends when a passkey was made or has signed.
type passkeyAnswer struct {
	Type     string    `json:"type"`
	ID       base64url `json:"id"`
	RawID    base64url `json:"rawId"`
	Response struct {
		ClientData base64url `json:"clientDataJSON"`

		// Of one that was made
		Attestation base64url `json:"attestationObject"`
		Transports  []string  `json:"transports"`

		// Of one that has signed
		AuthenticatorData base64url `json:"authenticatorData"`
		Signature         base64url `json:"signature"`
		UserHandle        base64url `json:"userHandle"`
	} `json:"response"`
}

func readAnswer(text string) (a passkeyAnswer, err error) {
	err = json.Unmarshal([]byte(text), &a)
	if err == nil && (a.Type != publicKeyType || len(a.ID) == 0 || !bytes.Equal(a.ID, a.RawID)) {
		err = errors.New("this names no passkey")
	}
	return a, err
}

// clientData is what the browser says that it was asked, and by whom.
type clientData struct {
	Type        string `json:"type"`
	Challenge   string `json:"challenge"`
	Origin      string `json:"origin"`
	CrossOrigin bool   `json:"crossOrigin"`
	TopOrigin   string `json:"topOrigin"`
}

// checkClient says why an answer is none to this challenge, made here, to make or to sign.
func (rp relyingParty) checkClient(text, challenge []byte, what string) error {
	var c clientData
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	got, err := base64.RawURLEncoding.DecodeString(c.Challenge)
	switch {
	case c.Type != what:
		return errors.New("the answer is to something else")
	case err != nil || subtle.ConstantTimeCompare(got, challenge) != 1:
		return errors.New("the answer is to another challenge")
	case c.Origin != rp.origin || c.CrossOrigin || c.TopOrigin != "":
		return errors.New("the answer was given to another site")
	}
	return nil
}

// Flags of what an authenticator says.
const (
	userPresent  = 1 << 0
	userVerified = 1 << 2
	mayBackUp    = 1 << 3
	backedUp     = 1 << 4
	holdsNewKey  = 1 << 6

	holdsExtensions = 1 << 7
)

// authenticatorData is what the authenticator itself says; the browser can't change it without breaking the signature.
type authenticatorData struct {
	flags   byte
	counter uint32
	rest    []byte
}

// checkAuthenticator reads it, and says why it isn't enough: it has to be for this site, with its owner's fingerprint, face or
// PIN.
func (rp relyingParty) checkAuthenticator(raw []byte) (a authenticatorData, err error) {
	if len(raw) < 37 {
		return a, errors.New("the authenticator said too little")
	}
	site := sha256.Sum256([]byte(rp.id))
	a = authenticatorData{raw[32], binary.BigEndian.Uint32(raw[33:]), raw[37:]}
	switch {
	case !bytes.Equal(raw[:32], site[:]):
		return a, errors.New("the passkey is another site's")
	case !a.has(userPresent) || !a.has(userVerified):
		return a, errors.New("the passkey's owner wasn't verified")
	case a.has(backedUp) && !a.has(mayBackUp):
		return a, errors.New("the passkey is backed up, and may not be")
	}
	return a, nil
}

func (a authenticatorData) has(flag byte) bool { return a.flags&flag != 0 }

// newKey is the new key in what the authenticator said, as the browser passes it on: its id, and the public key.
func (a authenticatorData) newKey() (id []byte, key crypto.PublicKey, err error) {
	const before = 16 + 2 // the model, which attestation "none" leaves out, and a length
	if !a.has(holdsNewKey) || len(a.rest) < before {
		return nil, nil, errors.New("the answer holds no new passkey")
	}
	length, rest := int(binary.BigEndian.Uint16(a.rest[16:])), a.rest[before:]
	if length < minCredentialID || length > maxCredentialID || len(rest) < length {
		return nil, nil, errors.New("the passkey's id is too short or too long")
	}
	id, rest = rest[:length], rest[length:]
	cose, rest, err := readCBOR(rest)
	if err == nil && a.has(holdsExtensions) {
		_, rest, err = readCBOR(rest)
	}
	if err == nil && len(rest) > 0 {
		err = errors.New("the authenticator said more than it should")
	}
	if err != nil {
		return nil, nil, err
	}
	key, err = readCOSE(cose)
	return id, key, err
}

// Labels of a key's parts in COSE (RFC 9052 and 9053), and their values for the algorithms that are taken.
const (
	coseType, coseAlgorithm = int64(1), int64(3)
	coseCurve, coseX, coseY = int64(-1), int64(-2), int64(-3)
	coseN, coseE            = int64(-1), int64(-2)

	okpKey, ecKey, rsaKey = int64(1), int64(2), int64(3)
	curveP256, curveEd    = int64(1), int64(6)
)

// readCOSE reads a public key as authenticators write it, of one of the algorithms that are taken.
func readCOSE(cose any) (crypto.PublicKey, error) {
	part, _ := cose.(map[any]any)
	number := func(label int64) int64 { n, _ := part[label].(int64); return n }
	text := func(label int64) []byte { b, _ := part[label].([]byte); return b }
	switch alg, kind, curve := number(coseAlgorithm), number(coseType), number(coseCurve); {
	case alg == es256 && kind == ecKey && curve == curveP256 && len(text(coseX)) == 32 && len(text(coseY)) == 32:
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, text(coseX), text(coseY)))
	case alg == eddsa && kind == okpKey && curve == curveEd && len(text(coseX)) == ed25519.PublicKeySize:
		return ed25519.PublicKey(text(coseX)), nil
	case alg == rs256 && kind == rsaKey && len(text(coseE)) <= 3:
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(text(coseN)), E: int(new(big.Int).SetBytes(text(coseE)).Int64())}
		if bits := key.N.BitLen(); bits >= minRSA && bits <= maxRSA && key.E > 1 && key.E%2 == 1 {
			return key, nil
		}
	}
	return nil, errors.New("a key of an algorithm that isn't taken here")
}

// How long an RSA key may be, in bits.
const (
	minRSA = 2048
	maxRSA = 8192
)

// Length of a credential's id, in bytes.
const (
	minCredentialID = 16
	maxCredentialID = 1023
)

// made returns the credential of a passkey that was made in answer to a challenge, or says why it isn't taken. Who made it,
// nobody asked: what an attestation says of that isn't read.
func (rp relyingParty) made(challenge []byte, answer passkeyAnswer) (c db.Credential, err error) {
	if err := rp.checkClient(answer.Response.ClientData, challenge, "webauthn.create"); err != nil {
		return c, err
	}
	item, rest, err := readCBOR(answer.Response.Attestation)
	if err != nil || len(rest) > 0 {
		return c, errCBOR
	}
	attestation, _ := item.(map[any]any)
	said, _ := attestation["authData"].([]byte)
	a, err := rp.checkAuthenticator(said)
	if err != nil {
		return c, err
	}
	id, key, err := a.newKey()
	if err != nil {
		return c, err
	}
	if !bytes.Equal(id, answer.ID) {
		return c, errors.New("the answer names another passkey")
	}
	public, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return c, err
	}
	c = db.Credential{ID: id, PublicKey: public, Counter: a.counter, MayBackUp: a.has(mayBackUp), BackedUp: a.has(backedUp)}
	for _, t := range answer.Response.Transports[:min(len(answer.Response.Transports), maxTransports)] {
		if len(t) <= maxTransport {
			c.Transports = append(c.Transports, t)
		}
	}
	return c, nil
}

// How many ways to reach a passkey are kept, and of what length: they are words of a list that grows.
const (
	maxTransports = 8
	maxTransport  = 32
)

// errCopied says that a passkey counted backwards, as one does of which there are two.
var errCopied = errors.New("the passkey's counter ran backwards: it may have been copied")

// signed returns what a credential is after it signed a challenge, or says why the signature isn't taken.
func (rp relyingParty) signed(challenge []byte, c db.Credential, answer passkeyAnswer) (db.Credential, error) {
	if err := rp.checkClient(answer.Response.ClientData, challenge, "webauthn.get"); err != nil {
		return c, err
	}
	a, err := rp.checkAuthenticator(answer.Response.AuthenticatorData)
	if err != nil {
		return c, err
	}
	key, err := x509.ParsePKIXPublicKey(c.PublicKey)
	if err != nil {
		return c, err
	}
	said := sha256.Sum256(answer.Response.ClientData)
	if !verifies(key, append(bytes.Clone(answer.Response.AuthenticatorData), said[:]...), answer.Response.Signature) {
		return c, errors.New("the signature is not this passkey's")
	}
	if a.has(mayBackUp) != c.MayBackUp {
		return c, errors.New("the passkey changed whether it can be backed up")
	}
	if max(a.counter, c.Counter) > 0 && a.counter <= c.Counter {
		return c, errCopied
	}
	c.Counter, c.BackedUp = a.counter, a.has(backedUp)
	return c, nil
}

func verifies(key crypto.PublicKey, text, signature []byte) bool {
	sum := sha256.Sum256(text)
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, sum[:], signature)
	case ed25519.PublicKey:
		return ed25519.Verify(k, text, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}
