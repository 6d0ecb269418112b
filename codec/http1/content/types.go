package content

import "strings"

// TypeByExtension is the media type of files with the extension ext, which begins with
// a dot and may be in any case, or "". Unlike mime.TypeByExtension it is the same on
// every machine: that reads the system's tables, and some say text/plain for .js.
func TypeByExtension(ext string) string {
	if t, ok := types[ext]; ok {
		return t
	}
	return types[strings.ToLower(ext)]
}

// Compressible tells whether files of a media type get smaller by compression: text,
// and what is written as text.
func Compressible(mediaType string) bool {
	t, _, _ := strings.Cut(mediaType, ";")
	t = strings.ToLower(trim(t))
	switch {
	case strings.HasPrefix(t, "text/") && t != "text/event-stream":
		return true
	case strings.HasSuffix(t, "+xml"), strings.HasSuffix(t, "+json"), strings.HasSuffix(t, "+text"):
		return true
	}
	switch t {
	case "application/json", "application/xml", "application/javascript", "application/wasm", "application/rtf", "application/vnd.ms-fontobject",
		"application/x-ndjson", "application/yaml", "application/toml", "application/x-sh", "application/sql", "font/ttf", "font/otf", "image/bmp", "image/x-icon":
		return true
	}
	return false
}

// types are from IANA's registry where they are registered. Text is UTF-8: a file that
// is not must have a type of its own by the program.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".shtml": "text/html; charset=utf-8", ".xhtml": "application/xhtml+xml",
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".cjs": "text/javascript; charset=utf-8",
	".txt": "text/plain; charset=utf-8", ".text": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8",
	".csv": "text/csv; charset=utf-8", ".tsv": "text/tab-separated-values; charset=utf-8", ".ics": "text/calendar; charset=utf-8", ".vcf": "text/vcard; charset=utf-8",
	".vtt": "text/vtt; charset=utf-8", ".xml": "text/xml; charset=utf-8", ".xsl": "text/xml; charset=utf-8", ".appcache": "text/cache-manifest; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".jsonld": "application/ld+json", ".geojson": "application/geo+json", ".webmanifest": "application/manifest+json",
	".ndjson": "application/x-ndjson", ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml", ".sql": "application/sql", ".sh": "application/x-sh",
	".rss": "application/rss+xml", ".atom": "application/atom+xml", ".wasm": "application/wasm", ".pdf": "application/pdf", ".rtf": "application/rtf", ".ps": "application/postscript",
	".svg": "image/svg+xml", ".png": "image/png", ".apng": "image/apng", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".avif": "image/avif", ".heic": "image/heic", ".jxl": "image/jxl", ".bmp": "image/bmp", ".ico": "image/x-icon", ".tif": "image/tiff", ".tiff": "image/tiff",
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".flac": "audio/flac", ".wav": "audio/wav",
	".weba": "audio/webm", ".mid": "audio/midi", ".midi": "audio/midi", ".mp4": "video/mp4", ".m4v": "video/mp4", ".m4s": "video/iso.segment", ".webm": "video/webm",
	".ogv": "video/ogg", ".mpeg": "video/mpeg", ".mpg": "video/mpeg", ".mov": "video/quicktime", ".avi": "video/x-msvideo", ".mkv": "video/matroska", ".3gp": "video/3gpp",
	".ts": "video/mp2t", ".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".eot": "application/vnd.ms-fontobject",
	".zip": "application/zip", ".gz": "application/gzip", ".tgz": "application/gzip", ".zst": "application/zstd", ".br": "application/octet-stream", ".bz2": "application/x-bzip2",
	".xz": "application/x-xz", ".7z": "application/x-7z-compressed", ".rar": "application/vnd.rar", ".tar": "application/x-tar", ".jar": "application/java-archive",
	".bin": "application/octet-stream", ".exe": "application/octet-stream", ".dll": "application/octet-stream", ".iso": "application/octet-stream", ".img": "application/octet-stream",
	".deb": "application/vnd.debian.binary-package", ".apk": "application/vnd.android.package-archive", ".dmg": "application/x-apple-diskimage", ".epub": "application/epub+zip",
	".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint", ".odt": "application/vnd.oasis.opendocument.text",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
	".pem": "application/x-pem-file", ".sqlite": "application/vnd.sqlite3", ".gltf": "model/gltf+json", ".glb": "model/gltf-binary",
}
