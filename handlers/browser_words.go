package handlers

import "strings"

// sign is a part of what a browser calls itself, and the word for it.
type sign struct{ part, word string }

// browserSigns and systemSigns are looked for in this order: most browsers also claim to be those further down. The words are
// ours alone, so nothing that a browser says gets any further.
var (
	browserSigns = []sign{
		{"FBAN/", "Facebook"}, {"FBAV/", "Facebook"}, {"Instagram ", "Instagram"}, {"GSA/", "Google app"},
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"Edge/", "Edge"},
		{"OPR/", "Opera"}, {"OPT/", "Opera"}, {"OPX/", "Opera"}, {"Opera/", "Opera"},
		{"Vivaldi/", "Vivaldi"}, {"SamsungBrowser/", "Samsung Internet"}, {"YaBrowser/", "Yandex Browser"}, {"Brave/", "Brave"},
		{"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"}, {"MiuiBrowser/", "Mi Browser"}, {"HuaweiBrowser/", "Huawei Browser"}, {"UCBrowser/", "UC Browser"},
		{"SeaMonkey/", "SeaMonkey"}, {"FxiOS/", "Firefox"}, {"Focus/", "Firefox"}, {"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"HeadlessChrome/", "Chrome"},
		{"Version/", "Safari"}, {"Trident/", "Internet Explorer"}, {"MSIE ", "Internet Explorer"},
	}
	systemSigns = []sign{
		{"Windows", "Windows"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"iPod", "iPod"}, {"Android", "Android"},
		{"CrOS ", "ChromeOS"}, {"Macintosh", "Mac"}, {"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"Linux", "Linux"}, {"X11", "Linux"},
	}
)

// longestUserAgent is how much of what a browser calls itself is looked at.
const longestUserAgent = 512

// browserWords says in a few words what a browser calls itself, such as "Firefox on Windows". Anybody can claim to be any, so
// they help who reads them, and prove nothing. Empty when nothing in it is known.
func browserWords(userAgent string) string {
	userAgent = userAgent[:min(len(userAgent), longestUserAgent)]
	browser, system := wordFor(browserSigns, userAgent), wordFor(systemSigns, userAgent)
	switch {
	case system == "":
		return browser
	case browser == "":
		return "A browser on " + system
	}
	return browser + " on " + system
}

func wordFor(signs []sign, userAgent string) string {
	for _, s := range signs {
		if strings.Contains(userAgent, s.part) {
			return s.word
		}
	}
	return ""
}
