package main

import (
	"slices"
	"strings"
	"testing"
)

const (
	mit  = "MIT License\n\nPermission is hereby granted, free of charge, to any person\nobtaining a copy of this software"
	bsd2 = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted provided that the following conditions are met:"
	bsd3 = bsd2 + "\n * Neither the name of X nor the names of its contributors may be used to endorse"
)

func TestClassify(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string // none: it may not be shipped
	}{
		{"MIT, broken at other places", mit, []string{"MIT"}},
		{"BSD of two clauses", bsd2, []string{"BSD-2-Clause"}},
		{"BSD of three clauses", bsd3, []string{"BSD-3-Clause"}},
		{"two in one file", bsd3 + "\n\n" + mit, []string{"BSD-3-Clause", "MIT"}},
		{"Apache", "                                 Apache License\n                           Version 2.0, January 2004", []string{"Apache-2.0"}},
		{"MPL, which names others", "Mozilla Public License, version 2.0\n\"Secondary License\" means the GNU General Public License", []string{"MPL-2.0"}},
		{"GPL", "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007", nil},
		{"AGPL", "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3", nil},
		{"MIT beside GPL", mit + "\n\nThe rest is under the GNU General Public License.", nil},
		{"MIT with a clause", "\"Commons Clause\" License Condition v1.0\n\n" + mit, nil},
		{"none that is known", "All rights reserved.", nil},
		{"nothing", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := classify(test.text)
			if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestLicenceNames(t *testing.T) {
	for name, want := range map[string]bool{
		"LICENSE": true, "LICENSE.md": true, "license.txt": true, "LICENCE": true, "COPYING": true, "NOTICE": true, "PATENTS": true,
		"LICENSE-3RD-PARTY.txt": true, "UNLICENSE": true, "licenses": false, "noticeboard.txt": false, "README.md": false,
	} {
		if licenceName.MatchString(name) != want {
			t.Errorf("%s: want %v", name, want)
		}
	}
}

func TestOneRefusedLicenceRefusesAll(t *testing.T) {
	if text, err := write([]part{{"a", "v1", mit}, {"b", "v1", mit}}); err != nil || strings.Count(text, mit) != 1 || !strings.Contains(text, "\na, b\n") {
		t.Errorf("a text that two share isn't there once, for both: %v\n%s", err, text)
	}
	if _, err := write([]part{{"a", "v1", mit}, {"b", "v2", "GNU General Public License"}}); err == nil || !strings.Contains(err.Error(), "b v2") {
		t.Errorf("%v", err)
	}
}
