package db

// Logo is the practice's picture, as mails carry it; the larger one for screens is read by its hash.
type Logo struct {
	Hash          string // of the one for screens; empty: there is no logo
	Mail          []byte // PNG
	Width, Height int    // of the one for mails
}

// SaveLogo keeps a logo in place of the one before.
func (tx *Tx) SaveLogo(l Logo, screen []byte) error {
	_, err := tx.exec(`INSERT INTO organization_logo (id, screen, mail, width, height, hash, changed_at) VALUES (1, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET screen = excluded.screen, mail = excluded.mail, width = excluded.width, height = excluded.height,
			hash = excluded.hash, changed_at = excluded.changed_at`, screen, l.Mail, l.Width, l.Height, l.Hash, ms(tx.now))
	return err
}

// RemoveLogo forgets the logo.
func (tx *Tx) RemoveLogo() error {
	_, err := tx.exec("DELETE FROM organization_logo")
	return err
}

// ScreenLogo returns the logo for screens; ErrNotFound when it is another, or there is none.
func (tx *Tx) ScreenLogo(hash string) (png []byte, err error) {
	err = tx.row("SELECT screen FROM organization_logo WHERE hash = ?", hash).Scan(&png)
	return png, named(err)
}
