//go:build linux

package load

import "fmt"

// replies is the stream of answers that a connection gets.
type replies interface {
	// take looks for answer k, or the rest of it, at the beginning of b. It returns how
	// much of b belongs to it, and whether it ends there.
	take(b []byte, k int) (n int, done bool, err error)
}

// setsOfTexts is how many sets of messages there are for connections to choose
// from, so that an answer to another one is noticed.
const setsOfTexts = 8

// dialogues makes what the connections send and want to hear.
type dialogues struct {
	cfg   *Config
	model *exchange // what was learnt from the server, for HTTP
	terms terms
	sets  [setsOfTexts]*texted
	z     inflater
}

// texted is messages of text, as they are and as they are sent.
type texted struct {
	plain [][]byte
	out   *outgoing
}

// agree takes what connection i has agreed upon, which is the same for all.
func (d *dialogues) agree(i int, extensions string) (err error) {
	if i == 0 {
		d.terms, err = d.cfg.parseTerms(extensions)
		return err
	}
	if extensions != d.terms.header {
		return fmt.Errorf("the server agrees to %q, and before to %q", extensions, d.terms.header)
	}
	return nil
}

// of makes those of connection i.
func (d *dialogues) of(i int) (*outgoing, replies) {
	if d.cfg.Mode.Fans() {
		i = publisher
	}
	if d.cfg.Mode.Texts() {
		t := d.textFor(i)
		return t.out, d.framedFor(t)
	}
	x := d.cfg.exchangeFor(i, d.model)
	if d.cfg.Mode == File {
		return repeated(x.request, d.cfg.Depth), &skimmed{fixed: fixed{exchange: x}, head: x.sampled[0].from}
	}
	return repeated(x.request, d.cfg.Depth), &fixed{exchange: x}
}

func (d *dialogues) textFor(i int) *texted {
	i %= setsOfTexts
	if d.sets[i] == nil {
		d.sets[i] = newTexted(uint64(i), d.cfg, d.terms)
	}
	return d.sets[i]
}

func (d *dialogues) framedFor(t *texted) *framed {
	f := &framed{plain: t.plain, z: &d.z, longest: len(t.plain[0])}
	if d.cfg.Mode.Deflated() {
		f.deflated, f.longest = true, longestDeflated(f.longest)
	}
	if d.cfg.Takeover {
		f.recent = newRecent(d.cfg.Size)
	}
	return f
}

func newTexted(seed uint64, c *Config, terms terms) *texted {
	t := &texted{plain: texts(seed, c.Size)}
	var first [][]byte
	if c.Takeover {
		first = c.textFrames(t.plain, terms.window, false)
	}
	t.out = newOutgoing(append(first, c.textFrames(t.plain, terms.window, true)...), len(first), c.Depth)
	return t
}

// textFrames are frames for all messages; again says that they have been sent
// before.
func (c *Config) textFrames(plain [][]byte, window int, again bool) (frames [][]byte) {
	var z compressor
	for k, p := range plain {
		switch {
		case !c.Mode.Deflated():
			frames = append(frames, appendFrame(nil, textFrame, p, true))
		case c.Takeover:
			frames = append(frames, appendFrame(nil, textFrame|compressed, z.compress(p, dictionary(plain, k, window, again)), true))
		default:
			frames = append(frames, appendFrame(nil, textFrame|compressed, z.compress(p, nil), true))
		}
	}
	return frames
}
