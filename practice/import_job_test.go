package practice_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func TestImportJob(t *testing.T) {
	c := cast.New(t)
	keep := func() string {
		t.Helper()
		var list strings.Builder
		list.WriteString("First name,Last name\n")
		for i := range 500 {
			fmt.Fprintf(&list, "Al,Person%d\n", i)
		}
		id, err := c.Practice.KeepImport(t.Context(), c.Olga, "list.csv", []byte(list.String()))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	id := keep()
	if job, err := c.Practice.ImportJob(t.Context(), c.Olga, id); job != nil || err != nil {
		t.Errorf("a job that nobody began: %v %v", job, err)
	}
	if _, err := c.Practice.ImportJob(t.Context(), c.Olga, "no such file"); !errors.Is(err, practice.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
	// While somebody else writes, the import waits, and so does the next.
	var job *practice.ImportJob
	if err := c.DB.Update(t.Context(), func(*db.Tx) (err error) {
		if job, err = c.Practice.StartImport(t.Context(), c.Olga, id, practice.ImportChoices{}, false); err != nil {
			return err
		}
		if job.Over() {
			t.Error("over before it could write")
		}
		if _, err := c.Practice.StartImport(t.Context(), c.Olga, id, practice.ImportChoices{}, false); !errors.Is(err, practice.ErrBusy) {
			t.Errorf("two at once: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	<-job.Done()
	if done, of := job.Progress(); done != 500 || of != 500 {
		t.Errorf("%d of %d done", done, of)
	}
	if i, err := job.Result(); err != nil || i.Added() != 500 {
		t.Errorf("%d added, %v", i.Added(), err)
	}
	if again, err := c.Practice.ImportJob(t.Context(), c.Olga, id); again != job || err != nil {
		t.Errorf("the job that is over: %v %v", again, err)
	}
	if n := find(t, c, c.Olga.Staff, "person").Total; n != 500 {
		t.Errorf("%d clients", n)
	}

	// What fails tells so, and the next can begin.
	job, err := c.Practice.StartImport(t.Context(), c.Olga, "no such file", practice.ImportChoices{}, false)
	if err != nil {
		t.Fatal(err)
	}
	<-job.Done()
	if _, err := job.Result(); !errors.Is(err, practice.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
	job, err = c.Practice.StartImport(t.Context(), c.Olga, keep(), practice.ImportChoices{}, false)
	if err != nil {
		t.Fatal(err)
	}
	<-job.Done()
	if i, err := job.Result(); err != nil || i.Here() != 500 {
		t.Errorf("%d here, %v", i.Here(), err)
	}
	if _, err := c.Practice.StartImport(t.Context(), practice.Administrator{}, id, practice.ImportChoices{}, false); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("nobody imports: %v", err)
	}
}
