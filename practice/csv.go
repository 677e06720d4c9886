package practice

import (
	"encoding/csv"
	"io"
	"strings"
)

// formulas are what a cell begins with that a spreadsheet would run.
const formulas = "=+-@\t\r"

// isFormula tells of a cell that begins as a formula does, but for apostrophes and blanks before it.
func isFormula(cell string) bool {
	cell = strings.TrimLeft(cell, "' \n\u00a0\ufeff")
	return cell != "" && strings.IndexByte(formulas, cell[0]) >= 0
}

// safeCell is a cell as it leaves in a CSV file: what a spreadsheet would run as a formula gets an apostrophe before it.
func safeCell(cell string) string {
	if isFormula(cell) {
		return "'" + cell
	}
	return cell
}

// restoreCell is a cell as it was before safeCell.
func restoreCell(cell string) string {
	if isFormula(cell) {
		return strings.TrimPrefix(cell, "'")
	}
	return cell
}

// csvFile writes a CSV file (RFC 4180) that every spreadsheet opens as UTF-8, and runs nothing of.
type csvFile struct{ *csv.Writer }

func newCSVFile(w io.Writer) (csvFile, error) {
	_, err := io.WriteString(w, "\ufeff")
	rows := csv.NewWriter(w)
	rows.UseCRLF = true
	return csvFile{rows}, err
}

func (f csvFile) row(cells ...string) error {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = safeCell(cell)
	}
	return f.Write(safe)
}

func (f csvFile) end() error {
	f.Flush()
	return f.Error()
}
