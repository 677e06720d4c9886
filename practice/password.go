package practice

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Cost of a password hash: OWASP's second recommended argon2id setting, 19 MiB and two passes.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashThreads = 1
	hashSlots   = 4 // hashes at once: bounds memory and CPU under a flood of sign-ins
)

// Length of a password, in characters.
const (
	minPassword = 12
	maxPassword = 128
)

// hash makes a PHC string of a password; it waits for a free slot.
func (p *Practice) hash(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	key := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashThreads, 32)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// unknown is a hash that no password has: comparing with it costs what comparing with a real one does.
const unknown = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// matches compares a password with a hash; an empty hash costs the same and never matches.
func (p *Practice) matches(hash, password string) bool {
	if hash == "" || utf8.RuneCountInString(password) > maxPassword {
		hash, password = unknown, ""
	}
	var version, memory, passes, threads int
	var salt64, key64 string
	if _, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &memory, &passes, &threads, &salt64); err != nil {
		return false
	}
	salt64, key64 = salt64[:22], salt64[23:] // 16 bytes of salt are 22 characters
	salt, _ := base64.RawStdEncoding.DecodeString(salt64)
	want, _ := base64.RawStdEncoding.DecodeString(key64)
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	got := argon2.IDKey([]byte(password), salt, uint32(passes), uint32(memory), uint8(threads), 32)
	return subtle.ConstantTimeCompare(got, want) == 1 && hash != unknown
}
