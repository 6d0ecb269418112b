package form

// fields are the names and values of a form.
type fields struct {
	list  []field
	bytes int    // of all of them
	text  []byte // of the field that is being received
	name  int    // how much of text is its name
}

type field struct{ name, value string }

// open begins a field.
func (f *fields) open() { f.text, f.name = f.text[:0], -1 }

// endName says that what follows is the value.
func (f *fields) endName() { f.name = len(f.text) }

// add appends to the name, or to the value behind it.
func (f *Form) add(p []byte) error {
	n := len(f.text) + len(p)
	switch {
	case f.name < 0 && n > f.lim.Name:
		return ErrName
	case f.name >= 0 && n-f.name > f.lim.Value:
		return ErrValue
	case f.bytes+n > f.lim.Memory:
		return ErrMemory
	}
	f.text = append(f.text, p...)
	return nil
}

// keep ends the field. One string for both halves what a small field costs.
func (f *fields) keep() {
	if f.name < 0 {
		f.endName()
	}
	text := string(f.text)
	f.list = append(f.list, field{text[:f.name], text[f.name:]})
	f.bytes += len(text)
}
