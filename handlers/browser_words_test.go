package handlers

import (
	"strings"
	"testing"
)

func TestBrowserWords(t *testing.T) {
	const (
		webkit  = "AppleWebKit/605.1.15 (KHTML, like Gecko) "
		windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
		mac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
		linux   = "Mozilla/5.0 (X11; Linux x86_64) "
		android = "Mozilla/5.0 (Linux; Android 10; K) "
		iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) "
		ipad    = "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) "
		chrome  = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
	)
	for userAgent, want := range map[string]string{
		windows + chrome + "Safari/537.36":                                                                                             "Chrome on Windows",
		windows + chrome + "Safari/537.36 Edg/131.0.0.0":                                                                               "Edge on Windows",
		windows + chrome + "Safari/537.36 OPR/117.0.0.0":                                                                               "Opera on Windows",
		windows + chrome + "Safari/537.36 Vivaldi/7.0.3495.27":                                                                         "Vivaldi on Windows",
		windows + chrome + "YaBrowser/24.12.0.0 Safari/537.36":                                                                         "Yandex Browser on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0":                                             "Firefox on Windows",
		"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko":                                                        "Internet Explorer on Windows",
		"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)":                                                                           "Internet Explorer on Windows",
		windows + "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/64.0 Safari/537.36 Edge/17.0":                                         "Edge on Windows",
		mac + webkit + "Version/18.1 Safari/605.1.15":                                                                                  "Safari on Mac",
		mac + chrome + "Safari/537.36":                                                                                                 "Chrome on Mac",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0":                                         "Firefox on Mac",
		mac + webkit + "Version/18.0 Safari/605.1.15 Ddg/18.0":                                                                         "DuckDuckGo on Mac",
		"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0":                                                       "Firefox on Linux",
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 SeaMonkey/2.53":                                        "SeaMonkey on Linux",
		linux + "AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0 Safari/537.36":                                            "Chrome on Linux",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " + chrome + "Safari/537.36":                                                         "Chrome on ChromeOS",
		"Mozilla/5.0 (X11; FreeBSD amd64; rv:133.0) Gecko/20100101 Firefox/133.0":                                                      "Firefox on FreeBSD",
		android + chrome + "Mobile Safari/537.36":                                                                                      "Chrome on Android",
		android + chrome + "Mobile Safari/537.36 EdgA/131.0.0.0":                                                                       "Edge on Android",
		android + "AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36":                   "Samsung Internet on Android",
		"Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0":                                                         "Firefox on Android",
		android + chrome + "Mobile DuckDuckGo/5 Safari/537.36":                                                                         "DuckDuckGo on Android",
		android + "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/489.0;]": "Facebook on Android",
		iphone + webkit + "Version/17.7 Mobile/15E148 Safari/604.1":                                                                    "Safari on iPhone",
		iphone + webkit + "CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1":                                                             "Chrome on iPhone",
		iphone + webkit + "FxiOS/133.0 Mobile/15E148 Safari/605.1.15":                                                                  "Firefox on iPhone",
		iphone + webkit + "EdgiOS/131.0 Version/17.0 Mobile/15E148 Safari/604.1":                                                       "Edge on iPhone",
		iphone + webkit + "GSA/343.0.695551749 Mobile/15E148 Safari/604.1":                                                             "Google app on iPhone",
		iphone + webkit + "Mobile/15E148 Instagram 361.0.0.35.82":                                                                      "Instagram on iPhone",
		ipad + webkit + "Version/17.7 Mobile/15E148 Safari/604.1":                                                                      "Safari on iPad",
		iphone + webkit + "Mobile/15E148":                                                                                              "A browser on iPhone",
		"curl/8.5.0":                                                                                                                   "",
		"":                                                                                                                             "",
		`<script>alert(1)</script> on "the" bank's Windows`:                                                                            "A browser on Windows",
		"{portal_link} [click](https://bad.example) Firefox/1.0":                                                                       "Firefox",
		strings.Repeat("x", 1<<20) + " Firefox/1.0 (Windows NT 10.0)":                                                                  "",
	} {
		if got := browserWords(userAgent); got != want {
			t.Errorf("%.200q is %q, want %q", userAgent, got, want)
		}
	}
}
