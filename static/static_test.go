package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestEveryFileIsFoundByItsHashedName(t *testing.T) {
	for _, name := range []string{"app.css", "app.js", "logoff.js", "passkey.js", "favicon.svg", "vendor/htmx-4.0.1.min.js"} {
		url := URL(name)
		if !regexp.MustCompile(`^/static/.+\.[0-9a-f]{8}\.(css|js|svg)$`).MatchString(url) {
			t.Errorf("URL(%q) = %q carries no hash", name, url)
		}
		f, ok := Lookup(url)
		if !ok {
			t.Fatalf("Lookup(%q) finds nothing", url)
		}
		onDisk, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.Body, onDisk) {
			t.Errorf("%s: body differs from the file", name)
		}
		r, err := gzip.NewReader(bytes.NewReader(f.Gzip()))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if inflated, _ := io.ReadAll(r); !bytes.Equal(inflated, onDisk) {
			t.Errorf("%s: the compressed body differs from the file", name)
		}
	}
}

func TestOnlyCurrentNamesAreFound(t *testing.T) {
	for _, path := range []string{"", "/static/", "/static/app.css", "/static/app.00000000.css", "/static/../static.go", "app.css"} {
		if _, ok := Lookup(path); ok {
			t.Errorf("Lookup(%q) finds something", path)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("URL of an unknown file does not panic")
		}
	}()
	URL("nothing.css")
}

// The page itself may weigh the rest of the 60 KB.
func TestFirstVisitIsLight(t *testing.T) {
	total := 0
	for _, f := range byURL {
		total += len(f.Gzip())
	}
	if total > 40<<10 {
		t.Errorf("static files weigh %d bytes compressed, more than 40 KB", total)
	}
}

// The policy allows no fetch but from this server, and the stylesheet must need none.
func TestStylesheetFetchesNothing(t *testing.T) {
	css := string(byName["app.css"].Body)
	for _, word := range []string{"url(", "@import", "@font-face", "data:"} {
		if strings.Contains(css, word) {
			t.Errorf("app.css contains %s", word)
		}
	}
}

func TestVendoredFileIsTheOneNamedInItsReadme(t *testing.T) {
	readme, err := os.ReadFile("vendor/README.md")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(byName["vendor/htmx-4.0.1.min.js"].Body)
	if !strings.Contains(string(readme), hex.EncodeToString(sum[:])) {
		t.Error("vendor/README.md names another sha256")
	}
}

// What a page shows stays in the page: our scripts keep nothing in the browser, take no messages from other windows, and make
// nothing that somebody typed into markup or script.
func TestNothingIsKeptInBrowserStorage(t *testing.T) {
	for name, file := range byName {
		if !strings.HasSuffix(name, ".js") || strings.HasPrefix(name, "vendor/") {
			continue
		}
		for _, word := range []string{"localStorage", "sessionStorage", "indexedDB", "caches.", "document.cookie", "postMessage", "onmessage", "'message'",
			"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "http:", "https:"} {
			if strings.Contains(string(file.Body), word) {
				t.Errorf("%s contains %s", name, word)
			}
		}
	}
}
