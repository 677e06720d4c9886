package practice

import "testing"

func TestSafeCells(t *testing.T) {
	for cell, want := range map[string]string{"": "", "Ann": "Ann", "=1+1": "'=1+1", "+1 555": "'+1 555", "-": "'-", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "'=1": "''=1", "'": "'", " =1": "' =1", "\ufeff=1": "'\ufeff=1", "\n-1": "'\n-1", "\u00a0+1": "'\u00a0+1", "' =1": "'' =1", "O'Neil": "O'Neil", "a=b": "a=b"} {
		if got := safeCell(cell); got != want {
			t.Errorf("%q leaves as %q", cell, got)
		}
		if got := restoreCell(safeCell(cell)); got != cell {
			t.Errorf("%q comes back as %q", cell, got)
		}
	}
}
