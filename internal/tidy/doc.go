// Package tidy is a test that holds the project's style over the whole checkout, nested modules included:
// sizes, documentation, import arrows, honest tests, and nothing left lying about.
//
// All of it is in test files. go test runs one subtest per rule:
//
//	tree_test.go      what is looked at: every file below the go.mod of the root
//	tidy_test.go      the list of rules, and the test that runs it over the checkout
//	size_test.go      lengths of functions and files, test code per code
//	doc_test.go       doc comments of packages and of what they export
//	arrow_test.go     who may import whom, and what go.mod may require
//	habit_test.go     skips, sleeps, prints, fuzz targets
//	text_test.go      words and paths that must not stay, gofmt
//	broken_test.go    for each rule small trees that break it, and ones that do not
//
// A rule that is wrong is changed here, with its reason, in a commit of its own; there are no exceptions by name.
package tidy
