// Package versus measures servers against each other: in rounds, one after the
// other within each, so that what else the machine does meanwhile falls on all of
// them alike. What counts is the ratio within a round, and of those the median.
package versus
