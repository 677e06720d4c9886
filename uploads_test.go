package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A large list waits on the disk while it arrives: in the data folder alone, and no longer than the program lives.
func TestUploadsStayInTheDataFolder(t *testing.T) {
	t.Parallel()
	h := furnish(t, nil)
	elsewhere := t.TempDir()
	site := h.serve("TMPDIR=" + elsewhere)
	olga := site.visit("192.0.2.1")
	olga.signsIn(olgasEmail)
	conn, err := net.Dial("tcp", strings.TrimPrefix(site.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /organization/import HTTP/1.1\r\nHost: %s\r\nSec-Fetch-Site: same-origin\r\nCookie: session=%s\r\n"+
		"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"+
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"list.csv\"\r\n\r\n", site.url[len("http://"):], olga.cookies["session"], 90<<20)
	line := []byte("Quill,Quincy,quill@mail.example\n")
	// More than is held in memory, and in the connection's buffers: once it is written, some of it lies on the disk.
	if _, err := io.Copy(conn, bytes.NewReader(bytes.Repeat(line, 48<<20/len(line)))); err != nil {
		t.Fatal(err)
	}
	uploads := filepath.Join(h.folder, "uploads")
	files := func(folder string) (n int) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if files(uploads) == 0 || files(elsewhere) != 0 {
		t.Errorf("%d files in the data folder, %d elsewhere", files(uploads), files(elsewhere))
	}
	if info, err := os.Stat(uploads); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	site.stop(syscall.SIGKILL)
	site = h.serve("TMPDIR=" + elsewhere)
	if n := files(uploads); n != 0 {
		t.Errorf("%d files are left after a new start", n)
	}
	site.stop(syscall.SIGTERM)
	if _, err := os.Stat(uploads); !os.IsNotExist(err) {
		t.Error("the folder is left after the end", err)
	}
}
