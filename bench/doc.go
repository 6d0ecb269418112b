// Package bench measures Penstock: against what the kernel alone costs, and
// against other servers for Go.
//
//	cmd/compare       servers against each other, as a table of processor time a message
//	cmd/idle          what connections cost that have nothing to say
//	cmd/floor         the least that a server on epoll can cost
//	cmd/rivals        small servers on other libraries, and Penstock's own
//	internal/load     the load generator
//	internal/versus   interleaved rounds and their ratios
//	internal/idle     memory and goroutines
//	internal/cert     certificates for servers with TLS
//	internal/proc     server processes, their clocks and their memory
//	internal/inspect  what a server tells about itself
//
// compare and idle also speak TLS, in the modes wss and https. They make a
// certificate and put its files where a server's command line says {cert} and {key}:
//
//	compare -mode wss -conns 200 -server 'echo=echo -addr {addr} -loops 1 -cert {cert} -key {key}'
//
// With -tls 1.2 or 1.3 and -groups, such as X25519, they offer less than crypto/tls
// does by itself; what was agreed upon is printed below the table.
//
// The modes wsz, fan and fanz are compressed echo, broadcast, and compressed
// broadcast. A message of the last two is one arrival at one subscriber.
//
// The tests here hold budgets that do not depend on how fast the machine is: ratios of
// processor time within one run, and bytes. They run everything on the loopback
// interface and need Linux. Under the race detector or with the invariants tag,
// which cost time themselves, they build the servers alike and only want right
// answers.
package bench
