package practice

import (
	"context"

	"anteroom/db"
	"anteroom/forms"
)

// KeepLibrary keeps the forms that ship among the records, so that they can be sent. A version that is there stays as it is.
func (p *Practice) KeepLibrary(ctx context.Context) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		for _, f := range forms.Library() {
			if err := tx.AddForm(db.Form{Key: f.Key, Version: f.Version, Title: f.Title, Definition: string(f.JSON)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// paper is a form's definition, parsed once: a version never changes.
func (p *Practice) paper(f db.Form) (*forms.Form, error) {
	version := [2]string{f.Key, f.Version}
	if known, ok := p.papers.Load(version); ok {
		return known.(*forms.Form), nil
	}
	paper, err := forms.Parse([]byte(f.Definition))
	if err != nil {
		return nil, err
	}
	p.papers.Store(version, paper)
	return paper, nil
}
