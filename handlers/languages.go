package handlers

import (
	"slices"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// languages are those that a form offers, by their own names; any other that is on file stays.
var languages = []string{"en", "es", "zh", "tl", "vi", "ar", "fr", "ko", "ru", "pt", "ht", "hi", "de", "pl", "it", "uk", "fa", "so", "am", "ja"}

// languageOptions offers the languages, with the one on file chosen.
func languageOptions(onFile string) (options []option) {
	tags := languages
	if onFile != "" && !slices.Contains(tags, onFile) {
		tags = append(slices.Clone(tags), onFile)
	}
	for _, tag := range tags {
		options = append(options, option{tag, languageName(tag), tag == onFile})
	}
	return options
}

// languageName is a language's English name, with its own where that is another.
func languageName(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return tag
	}
	english, own := display.English.Tags().Name(t), display.Self.Name(t)
	if own == "" || own == english {
		return english
	}
	return english + " (" + own + ")"
}
