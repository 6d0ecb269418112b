// Package proc starts server programs for a measurement, keeps each on one
// processor, and reads from Linux what they use.
package proc
