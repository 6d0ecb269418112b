package certstest_test

import (
	"fmt"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

func ExampleNewCA() {
	ca, err := certstest.NewCA(certstest.Spec{})
	if err != nil {
		panic(err)
	}
	leaf, err := ca.Issue(certstest.Spec{Hosts: []string{"example.test", "192.0.2.1"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(ca.Certificate.Subject, leaf.TLS.Leaf.DNSNames, leaf.TLS.Leaf.IPAddresses)
	// Output: CN=Penstock Test CA [example.test] [192.0.2.1]
}
