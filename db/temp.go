package db

import (
	"context"
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
	db, err := Open(context.Background(), t.TempDir(), "", clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
