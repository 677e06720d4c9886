// Package views embeds the templates: one folder per noun, a leading underscore marks a fragment.
package views

import "embed"

// Files holds every template; the name of a file without .html is the name of its template.
//
//go:embed all:*
var Files embed.FS
