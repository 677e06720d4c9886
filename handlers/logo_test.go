package handlers

import (
	"bytes"
	"encoding/base64"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"anteroom/mail"
)

func picture(t *testing.T, width, height int, noise bool) *bytes.Buffer {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, width, height))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range p.Pix {
		if p.Pix[i] = 200; noise {
			p.Pix[i] = uint8(r.UintN(256))
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p); err != nil {
		t.Fatal(err)
	}
	return &out
}

// bomb is a small PNG that says it is enormous.
func bomb(t *testing.T) string {
	t.Helper()
	data := picture(t, 2, 2, false).Bytes()
	copy(data[16:24], "\x00\x00\xff\xff\x00\x00\xff\xff")
	sum := crc32.ChecksumIEEE(data[12:29])
	copy(data[29:33], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return string(data)
}

func TestLogo(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	send := func(data string) answer { return olga.uploadAs("/organization/logo", "logo", "logo.png", data) }
	for name, wrong := range map[string]struct{ data, says string }{
		"nothing":     {"", "Choose a picture."},
		"text":        {"<svg onload=alert(1)>", "PNG or JPEG"},
		"a GIF":       {"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "PNG or JPEG"},
		"truncated":   {picture(t, 60, 60, true).String()[:200], "damaged"},
		"a bomb":      {bomb(t), "2,000 pixels"},
		"too large":   {strings.Repeat("x", 1<<20+1), "larger than 1 MB"},
		"much detail": {picture(t, 240, 80, true).String(), "too much detail"},
	} {
		t.Run(name, func(t *testing.T) { send(wrong.data).wantError("logo", wrong.says) })
	}
	if s.as("").get("/sign-in").want(200).doc.Find("img.logo").Length() != 0 {
		t.Error("a logo that was refused is shown")
	}

	var photo bytes.Buffer // with a comment, as cameras leave
	canvas := image.NewRGBA(image.Rect(0, 0, 900, 300))
	for x := range 900 {
		canvas.Set(x, 150, color.RGBA{200, 30, 30, 255})
	}
	if err := jpeg.Encode(&photo, canvas, nil); err != nil {
		t.Fatal(err)
	}
	data := photo.String()[:2] + "\xff\xfe\x00\x12where it was made" + photo.String()[2:]
	olga.follow(send(data)).want(200, "Another picture")
	src := s.as("").get("/sign-in").want(200).doc.Find("img.logo").AttrOr("src", "")
	a := s.as("").get(src)
	shown, err := png.Decode(strings.NewReader(a.body))
	if err != nil || shown.Bounds().Dx() != 384 || shown.Bounds().Dy() != 128 || strings.Contains(a.body, "where it was made") {
		t.Fatalf("%s: %v", src, err)
	}
	if h := a.header; h.Get("Content-Type") != "image/png" || !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", h)
	}
	s.as("").get("/logo/0000").want(404)

	// Mails carry it, and previews show it.
	s.library()
	letter := olga.get(s.olgasDraft(s.Ann) + "/letter?client=" + s.Ann.PublicID).want(200)
	embedded := letter.doc.Find("img").AttrOr("src", "")
	small, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(embedded, "data:image/png;base64,"))
	if err != nil || !bytes.HasPrefix(small, []byte("\x89PNG")) || strings.Contains(letter.body, mail.LogoSource) {
		t.Errorf("the preview shows %.60s (%v)", embedded, err)
	}

	s.as("Tom").uploadAs("/organization/logo", "logo", "logo.png", data).want(403)
	olga.follow(olga.post("/organization/logo", "do", "remove")).want(200, "The logo was removed.")
	s.as("").get(src).want(404)
}
