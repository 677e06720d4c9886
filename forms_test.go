package main

import (
	"net/url"

	"github.com/PuerkitoBio/goquery"
)

// filledIn is what a browser would send of a form as it stands, but for its buttons.
func filledIn(form *goquery.Selection) url.Values {
	values := url.Values{}
	form.Find("input[name], textarea[name], select[name]").Each(func(_ int, field *goquery.Selection) {
		name, _ := field.Attr("name")
		if _, off := field.Attr("disabled"); off {
			return
		}
		switch goquery.NodeName(field) {
		case "textarea":
			values.Add(name, field.Text())
		case "select":
			chosen := field.Find("option[selected]")
			if chosen.Length() == 0 {
				chosen = field.Find("option").First()
			}
			values.Add(name, optionValue(chosen))
		default:
			switch field.AttrOr("type", "text") {
			case "submit", "button", "image", "file", "reset":
			case "checkbox", "radio":
				if _, on := field.Attr("checked"); on {
					values.Add(name, field.AttrOr("value", "on"))
				}
			default:
				values.Add(name, field.AttrOr("value", ""))
			}
		}
	})
	return values
}

func optionValue(option *goquery.Selection) string { return option.AttrOr("value", option.Text()) }
