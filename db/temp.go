package db

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// testingT is the part of *testing.T that Temp needs.
type testingT interface {
	Helper()
	TempDir() string
	Cleanup(func())
	Fatal(...any)
}

// Temp opens a new database in a folder that ends with the test.
func Temp(t testingT, clock func() time.Time) *DB {
	t.Helper()
	folder := t.TempDir()
	empty, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(databaseFile(folder), empty, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := createKeyFile(filepath.Join(folder, "anteroom.key")); err != nil {
		t.Fatal(err)
	}
	db, err := Open(context.Background(), folder, "", clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// migrated is the file of an empty database, made once: the migrations take longer than many a test.
var migrated = sync.OnceValues(func() (file []byte, err error) {
	folder, err := os.MkdirTemp("", "anteroom-empty-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	db := &DB{}
	if db.write, err = openWriter(databaseFile(folder)); err != nil {
		return nil, err
	}
	err = db.migrate(context.Background())
	db.write.Close()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(databaseFile(folder))
})
