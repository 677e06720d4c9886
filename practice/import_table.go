package practice

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Limits of a file to import.
const (
	MaxImport     = 100 << 20 // bytes
	maxColumns    = 200
	maxRows       = 100_000 // they are all in memory while they are judged
	headerWithin  = 10      // rows, from the first
	maxLinesInRow = 50      // line breaks within one row: more come from a quotation mark that is never closed
)

var errTooManyRows = errors.New("This file has more than 100,000 rows. Part it into several.")

// table is a CSV file, read: a row of column names and the rows below it.
type table struct {
	header []string
	rows   []tableRow
}

type tableRow struct {
	line  int // in the file, from 1
	cells []string
}

// cell returns a row's cell in a column; a short row's missing cells are empty.
func (r tableRow) cell(column int) string {
	if column < 0 || column >= len(r.cells) {
		return ""
	}
	return r.cells[column]
}

// readTable reads a CSV file as spreadsheets and practice systems write it: in UTF-8, UTF-16 or Windows-1252, separated by
// commas, semicolons, tabs or bars, with a few lines above the column names or none. The error is a sentence for the person
// who chose the file.
func readTable(data []byte) (table, error) {
	text, err := decodeText(data)
	if err != nil {
		return table{}, err
	}
	text, comma := separator(text)
	rows, err := readRows(text, comma)
	if err != nil {
		return table{}, err
	}
	if len(rows) == 0 {
		return table{}, errors.New("This file is empty.")
	}
	at := headerRow(rows)
	t := table{header: rows[at].cells, rows: rows[at+1:]}
	if len(t.header) > maxColumns {
		return table{}, fmt.Errorf("This file has %d columns; up to %d can be read. Is it a list of clients?", len(t.header), maxColumns)
	}
	if len(t.rows) > maxRows {
		return table{}, errTooManyRows
	}
	if len(t.rows) == 0 {
		return table{}, errors.New("This file has column names but no rows below them.")
	}
	return t, nil
}

// decodeText turns a file's bytes into text, by the mark at its start or else by what its bytes can be.
func decodeText(data []byte) (string, error) {
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")) {
		return "", errors.New("This is a spreadsheet, not a CSV file. Open it, choose “Save as” or “Download”, and pick CSV.")
	}
	if text, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		data = text
	}
	if order := utf16Order(data); order != nil {
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = order.Uint16(data[2*i:])
		}
		return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff"), nil
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return "", errors.New("This is not a CSV file.")
	}
	if utf8.Valid(data) {
		return string(data), nil
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(data)
	return string(text), err
}

// utf16Order tells how the bytes of a UTF-16 text are ordered, by its mark or by where its zeros are; nil: it is none.
func utf16Order(data []byte) binary.ByteOrder {
	switch {
	case len(data) < 2:
		return nil
	case data[0] == 0xff && data[1] == 0xfe:
		return binary.LittleEndian
	case data[0] == 0xfe && data[1] == 0xff:
		return binary.BigEndian
	}
	var zeros [2]int
	start := data[:min(len(data), 200)]
	for i, b := range start {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch most := len(start) * 2 / 5; {
	case zeros[1] > most && zeros[0] == 0:
		return binary.LittleEndian
	case zeros[0] > most && zeros[1] == 0:
		return binary.BigEndian
	}
	return nil
}

// separator finds what separates the cells: what the file says (“sep=;”), or what cuts its first rows into the most
// columns, evenly.
func separator(text string) (rest string, comma rune) {
	if first, rest, ok := strings.Cut(text, "\n"); ok {
		if said, ok := strings.CutPrefix(strings.TrimRight(first, "\r"), "sep="); ok && len(said) == 1 && strings.Contains(",;\t|", said) {
			return rest, rune(said[0])
		}
	}
	start := text
	const enough = 16 << 10
	if len(start) > enough {
		start = start[:enough]
		start = start[:strings.LastIndexByte(start, '\n')+1]
	}
	best := 0
	comma = ','
	for _, candidate := range ",;\t|" {
		rows, err := readRows(start, candidate)
		if err != nil || len(rows) == 0 {
			continue
		}
		// As many rows as the longest has cells say that these are columns; a comma in a name or two says nothing.
		counts := map[int]int{}
		for _, r := range rows[:min(len(rows), 50)] {
			counts[len(r.cells)]++
		}
		for width, n := range counts {
			if score := (width - 1) * n; score > best {
				best, comma = score, candidate
			}
		}
	}
	return text, comma
}

// readRows reads the rows that have something in them.
func readRows(text string, comma rune) (rows []tableRow, err error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = comma, -1, true
	for {
		if len(rows) > maxRows+headerWithin {
			return nil, errTooManyRows
		}
		cells, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, errors.New("This is not a CSV file that can be read: " + err.Error() + ".")
		}
		line, _ := r.FieldPos(0)
		breaks, something := 0, false
		for i, c := range cells {
			breaks += strings.Count(c, "\n")
			cells[i] = restoreCell(c)
			something = something || strings.TrimSpace(c) != ""
		}
		if breaks > maxLinesInRow {
			return nil, fmt.Errorf("In line %d a quotation mark is opened and never closed, so the lines below it can't be told apart.", line)
		}
		if something {
			rows = append(rows, tableRow{line, cells})
		}
	}
}

// headerRow finds the row of column names: the first of the first few in which two are known, or else the first.
func headerRow(rows []tableRow) int {
	for i, r := range rows[:min(len(rows), headerWithin)] {
		known := 0
		for _, cell := range r.cells {
			if _, ok := columnNames[columnKey(cell)]; ok {
				known++
			}
		}
		if known >= 2 {
			return i
		}
	}
	return 0
}
