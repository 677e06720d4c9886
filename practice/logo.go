package practice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	_ "image/jpeg" // a logo may come as JPEG
	"image/png"

	"anteroom/db"
	"anteroom/mail"
)

// Limits of a logo: what may be brought, in bytes and pixels, and what is made of it.
const (
	MaxLogo      = 1 << 20
	maxLogoSide  = 2000
	maxMailLogo  = 20 << 10 // every mail carries it
	screenWidth  = 480
	screenHeight = 128
	mailWidth    = 240
	mailHeight   = 80
)

// ChangeLogo makes a picture the practice's logo: a PNG or JPEG of at most 1 MB and 2,000 pixels a side. It is drawn anew and
// smaller, so nothing else that the file holds is kept. Administrators may. Invalid says at "logo" why it can't be used.
func (p *Practice) ChangeLogo(ctx context.Context, by Administrator, data []byte) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	logo, screen, wrong := readLogo(data)
	if wrong != "" {
		return Invalid{"logo": wrong}
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		if err := tx.SaveLogo(logo, screen); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "changed the logo"})
	})
}

// RemoveLogo takes the logo away; administrators may.
func (p *Practice) RemoveLogo(ctx context.Context, by Administrator) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		if err := tx.RemoveLogo(); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "removed the logo"})
	})
}

// Logo returns the picture for screens that has this hash, as PNG; anybody may see it. ErrNotFound for any other.
func (p *Practice) Logo(ctx context.Context, hash string) (png []byte, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		png, err = tx.ScreenLogo(hash)
		return err
	})
	return png, err
}

// readLogo draws a picture in both sizes, or says why it can't be used.
func readLogo(data []byte) (logo db.Logo, screen []byte, wrong string) {
	if len(data) > MaxLogo {
		return logo, nil, "This picture is larger than 1 MB. Bring a smaller one."
	}
	// The size is looked at before anything is unpacked.
	size, kind, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || kind != "png" && kind != "jpeg" {
		return logo, nil, "Choose a picture that is a PNG or JPEG."
	}
	if size.Width > maxLogoSide || size.Height > maxLogoSide || size.Width < 1 || size.Height < 1 {
		return logo, nil, "This picture is larger than 2,000 pixels a side. Bring a smaller one."
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return logo, nil, "This picture is damaged. Save it anew and bring that file."
	}
	small := shrink(picture, mailWidth, mailHeight)
	logo.Width, logo.Height = small.Rect.Dx(), small.Rect.Dy()
	if screen, err = encodePNG(shrink(picture, screenWidth, screenHeight)); err == nil {
		logo.Mail, err = encodePNG(small)
	}
	if err != nil {
		return logo, nil, "This picture can't be used. Bring another."
	}
	if len(logo.Mail) > maxMailLogo {
		return logo, nil, "This picture has too much detail for mails. Bring a simpler one, such as a drawing with few colors."
	}
	sum := sha256.Sum256(screen)
	logo.Hash = hex.EncodeToString(sum[:16])
	return logo, screen, ""
}

func encodePNG(picture image.Image) ([]byte, error) {
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, picture)
	return out.Bytes(), err
}

// shrink draws a picture so that it fits, each pixel the mean of those that it stands for; a smaller one stays as it is.
func shrink(src image.Image, maxWidth, maxHeight int) *image.NRGBA {
	b := src.Bounds()
	width, height := b.Dx(), b.Dy()
	if width > maxWidth {
		width, height = maxWidth, max(height*maxWidth/width, 1)
	}
	if height > maxHeight {
		width, height = max(width*maxHeight/height, 1), maxHeight
	}
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			var r, g, bl, a, n uint64
			for sy := b.Min.Y + y*b.Dy()/height; sy < b.Min.Y+max((y+1)*b.Dy()/height, y*b.Dy()/height+1); sy++ {
				for sx := b.Min.X + x*b.Dx()/width; sx < b.Min.X+max((x+1)*b.Dx()/width, x*b.Dx()/width+1); sx++ {
					cr, cg, cb, ca := src.At(sx, sy).RGBA()
					r, g, bl, a, n = r+uint64(cr), g+uint64(cg), bl+uint64(cb), a+uint64(ca), n+1
				}
			}
			out.Set(x, y, color.RGBA64{uint16(r / n), uint16(g / n), uint16(bl / n), uint16(a / n)})
		}
	}
	return out
}

// mailLogo is the logo as mails carry it; nil: there is none.
func mailLogo(o db.Organization) *mail.Logo {
	if o.Logo.Hash == "" {
		return nil
	}
	return &mail.Logo{PNG: o.Logo.Mail, Width: o.Logo.Width, Height: o.Logo.Height}
}
