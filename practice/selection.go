package practice

import (
	"context"
	"errors"
	"slices"

	"anteroom/db"
)

// PageSize is how many rows a list shows at once.
const PageSize = 25

// maxNamed is how many of the selected clients are named; the others are counted.
const maxNamed = 200

// Selection is whom an administrator has ticked in Manage Clients: the clients of their open draft.
type Selection struct {
	Count int
	Named []db.Client // by name, at most 200
}

// More is how many are selected and not named.
func (s Selection) More() int { return s.Count - len(s.Named) }

// SelectionChange is what was done to the selection. The checkboxes that were on the page and those of them that are ticked
// come first; then what a button adds or takes away.
type SelectionChange struct {
	Shown []string // public ids
	On    []string
	Found *ClientQuery // select all whom this list shows
	Drop  string       // one client's public id
	Clear bool
}

// ChangeSelection changes whom an administrator has ticked, and returns the selection.
func (p *Practice) ChangeSelection(ctx context.Context, by Administrator, change SelectionChange) (s Selection, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		draft, err := openDraft(tx, by.Staff, 0)
		if err != nil {
			return err
		}
		on := map[string]bool{}
		for _, id := range change.On {
			on[id] = true
		}
		off := slices.DeleteFunc(slices.Clone(change.Shown), func(id string) bool { return on[id] })
		if err := tx.Choose(draft.ID, by.invites(), change.On); err != nil {
			return err
		}
		if err := tx.Unchoose(draft.ID, off); err != nil {
			return err
		}
		if change.Found != nil {
			f, err := change.Found.filter(tx)
			if err != nil {
				return err
			}
			if err := tx.ChooseFound(draft.ID, by.invites(), f); err != nil {
				return err
			}
		}
		if change.Drop != "" {
			if err := tx.Unchoose(draft.ID, []string{change.Drop}); err != nil {
				return err
			}
		}
		if change.Clear {
			if err := tx.UnchooseAll(draft.ID); err != nil {
				return err
			}
		}
		s, err = selection(tx, by, draft)
		return err
	})
	return s, err
}

// Selection returns whom an administrator has ticked, and the id of the draft that holds them, if there is one yet.
func (p *Practice) Selection(ctx context.Context, by Administrator) (s Selection, draftID string, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		draft, err := tx.OpenDraft(by.member.ID, 0)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		draftID = draft.PublicID
		s, err = selection(tx, by, draft)
		return err
	})
	return s, draftID, err
}

func selection(tx *db.Tx, by Administrator, draft db.Draft) (s Selection, err error) {
	if s.Count, err = tx.Chosen(draft.ID); err != nil {
		return s, err
	}
	chosen, err := tx.DraftClients(draft.ID, by.invites(), maxNamed)
	for _, c := range chosen {
		s.Named = append(s.Named, c.Client)
	}
	return s, err
}

// Selected tells which of these clients an administrator has ticked.
func (p *Practice) Selected(ctx context.Context, by Administrator, clients []db.Client) (selected map[int64]bool, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		draft, err := tx.OpenDraft(by.member.ID, 0)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ids := make([]int64, len(clients))
		for i, c := range clients {
			ids[i] = c.ID
		}
		selected, err = tx.ChosenAmong(draft.ID, ids)
		return err
	})
	return selected, err
}
