package db

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrKeyFile says that the key file can't be written, or was changed by hand since it was read.
var ErrKeyFile = errors.New("the key file can't be changed")

// keySource is where the keyring is kept.
type keySource struct {
	file string // empty: whoever hosts the program gave the text itself
	text string
}

// read reads the keyring. With mayCreate a file that isn't there is made.
func (s *keySource) read(mayCreate bool) (*Keyring, error) {
	if s.file == "" {
		return parseKeyring(s.text)
	}
	text, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) && mayCreate {
		if text, err = createKeyFile(s.file); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, fmt.Errorf("the key file is needed to open this database: %w", err)
	}
	if s.file, err = filepath.EvalSymlinks(s.file); err != nil { // what is written takes the file's place, not the link's
		return nil, err
	}
	os.Remove(unfinished(s.file)) // of a change that the program was killed in
	return parseKeyring(string(text))
}

// look reads the keyring for whoever only looks at the database: it changes nothing.
func (s *keySource) look() (*Keyring, error) {
	if s.file == "" {
		return parseKeyring(s.text)
	}
	text, err := os.ReadFile(s.file)
	if err != nil {
		return nil, fmt.Errorf("the key file is needed to verify this database: %w", err)
	}
	return parseKeyring(string(text))
}

func createKeyFile(file string) ([]byte, error) {
	text := []byte(NewKey() + "\n")
	return text, replaceKeyFile(file, text)
}

func unfinished(file string) string { return file + ".new" }

// replaceKeyFile puts another text in the file's place, whole and for good, or not at all.
func replaceKeyFile(file string, text []byte) error {
	// What was left there, or put there, may be open to others: the key goes only into a file made here.
	if err := os.Remove(unfinished(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(unfinished(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(unfinished(file), file)
	}
	if err != nil {
		os.Remove(unfinished(file))
		return err
	}
	folder, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// change changes the key file's lines, and returns the keyring that it then holds. It returns ErrKeyFile where it can't.
func (s *keySource) change(known *Keyring, change func(lines []string) []string) (*Keyring, error) {
	if s.file == "" {
		return nil, fmt.Errorf("%w: whoever hosts this program gave the key itself", ErrKeyFile)
	}
	text, err := os.ReadFile(s.file)
	if err != nil {
		return nil, errors.Join(ErrKeyFile, err)
	}
	k, err := parseKeyring(string(text))
	if err != nil {
		return nil, errors.Join(ErrKeyFile, err)
	}
	if !k.equal(known) {
		return nil, fmt.Errorf("%w: somebody changed it since the program started", ErrKeyFile)
	}
	changed := strings.Join(change(keyLines(string(text))), "\n") + "\n"
	if k, err = parseKeyring(changed); err != nil {
		return nil, err
	}
	if err := replaceKeyFile(s.file, []byte(changed)); err != nil {
		return nil, errors.Join(ErrKeyFile, err)
	}
	k.first, k.current = known.first, known.current
	return k, nil
}

// equal tells that two keyrings hold the same keys, whichever are retired.
func (k *Keyring) equal(other *Keyring) bool {
	if len(k.keys) != len(other.keys) {
		return false
	}
	for i, m := range k.keys {
		if m.id != other.keys[i].id || !bytes.Equal(m.audit, other.keys[i].audit) {
			return false
		}
	}
	return true
}

// add adds a line for a new key, which isn't in use yet.
func (s *keySource) add(known *Keyring) (*Keyring, error) {
	return s.change(known, func(lines []string) []string { return append(lines, NewKey()) })
}

// retire leaves of a key what no sealed text opens with.
func (s *keySource) retire(known *Keyring, at int) (*Keyring, error) {
	return s.change(known, func(lines []string) []string {
		lines[at] = known.keys[at].retiredLine()
		return lines
	})
}

// RetiredLine is the line that takes the place of a key's in the text of a key file, once nothing is sealed under it.
func RetiredLine(text, id string) (string, error) {
	k, err := parseKeyring(text)
	if err != nil {
		return "", err
	}
	switch at := k.index(id); {
	case at < 0:
		return "", fmt.Errorf("there is no key %s", id)
	case at == k.current:
		return "", fmt.Errorf("key %s is the one in use", id)
	default:
		return k.keys[at].retiredLine(), nil
	}
}
