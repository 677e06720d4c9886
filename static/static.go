// Package static holds the stylesheet, the scripts and the icon, embedded, and serves them under names that carry a hash
// of their content, so that a browser may keep them for ever.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed app.css app.js logoff.js passkey.js favicon.svg vendor/*.js
var files embed.FS

// Prefix begins every URL of this package.
const Prefix = "/static/"

// A File is one embedded file, as it goes over the wire.
type File struct {
	URL         string // content-hashed: /static/app.3f2a9c1b.css
	ContentType string
	Body        []byte
	Gzip        func() []byte // Body, compressed when it is first asked for; nil where that saves nothing
}

var byName, byURL = load()

// URL returns the content-hashed URL of the file called name ("app.css"). It panics when there is none: a misspelt name
// is a fault of the program, which executing the template shows.
func URL(name string) string {
	f, ok := byName[name]
	if !ok {
		panic("static: no file " + name)
	}
	return f.URL
}

// Lookup finds a file by the path of a request. Only the current content-hashed names are found.
func Lookup(urlPath string) (*File, bool) {
	f, ok := byURL[urlPath]
	return f, ok
}

func load() (byName, byURL map[string]*File) {
	byName, byURL = map[string]*File{}, map[string]*File{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		f := &File{URL: hashed(name, body), ContentType: contentType(name), Body: body, Gzip: sync.OnceValue(func() []byte { return compress(body) })}
		byName[name], byURL[f.URL] = f, f
		return nil
	})
	if err != nil {
		panic(err) // the files are in the binary
	}
	return byName, byURL
}

func hashed(name string, body []byte) string {
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	return Prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:4]) + ext
}

// contentType is a fixed table: mime.TypeByExtension would ask the machine it runs on.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml; charset=utf-8"
	}
	panic("static: no content type for " + name)
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	w.Write(body) // into memory: never fails
	w.Close()
	if b.Len() >= len(body) {
		return nil
	}
	return b.Bytes()
}
