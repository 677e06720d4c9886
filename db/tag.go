package db

import (
	"encoding/json"
	"errors"
)

// Tag is a word by which a practice groups its clients.
type Tag struct {
	ID   int64
	Name string // as it was first written
}

const tagColumns = "t.id, t.name"

func readTag(s scanner) (t Tag, err error) {
	err = s.Scan(&t.ID, &t.Name)
	return t, named(err)
}

// Tag finds a tag by its name, spelled as one would search for it.
func (tx *Tx) Tag(name string) (Tag, error) {
	return readTag(tx.row("SELECT "+tagColumns+" FROM tags t WHERE t.folded = ?", SearchFold(name)))
}

// Tags lists the tags that clients within reach have, by name.
func (tx *Tx) Tags(reach Reach) ([]Tag, error) {
	return list(tx, readTag, "SELECT "+tagColumns+" FROM tags t WHERE EXISTS (SELECT 1 FROM client_tags x WHERE x.tag_id = t.id AND "+reach.holds("x.client_id")+") ORDER BY t.folded")
}

// TagsOf names the tags of each of these clients within reach, by name.
func (tx *Tx) TagsOf(reach Reach, clientIDs []int64) (map[int64][]string, error) {
	ids, err := json.Marshal(clientIDs)
	if err != nil {
		return nil, err
	}
	names := map[int64][]string{}
	_, err = list(tx, func(s scanner) (_ struct{}, err error) {
		var id int64
		var name string
		err = s.Scan(&id, &name)
		names[id] = append(names[id], name)
		return struct{}{}, err
	}, "SELECT x.client_id, t.name FROM client_tags x JOIN tags t ON t.id = x.tag_id WHERE x.client_id IN (SELECT value FROM json_each(?)) AND "+
		reach.holds("x.client_id")+" ORDER BY t.folded", string(ids))
	return names, err
}

// SetTags gives a client these tags and no others; those that are new are made.
func (tx *Tx) SetTags(clientID int64, names []string) error {
	if _, err := tx.exec("DELETE FROM client_tags WHERE client_id = ?", clientID); err != nil {
		return err
	}
	for _, name := range names {
		if err := tx.AddTag(clientID, name); err != nil {
			return err
		}
	}
	return nil
}

// AddTag gives a client one more tag; one that they have is no error.
func (tx *Tx) AddTag(clientID int64, name string) error {
	tag, err := tx.Tag(name)
	if errors.Is(err, ErrNotFound) {
		tag.ID, err = tx.insert("INSERT INTO tags (name, folded) VALUES (?, ?)", name, SearchFold(name))
	}
	if err != nil {
		return err
	}
	_, err = tx.exec("INSERT INTO client_tags (tag_id, client_id) VALUES (?, ?) ON CONFLICT DO NOTHING", tag.ID, clientID)
	return err
}
