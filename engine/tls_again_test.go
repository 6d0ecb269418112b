package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/invariant"
)

// again are the tests that hold over TLS as they do over TCP.
var again = []func(*testing.T){
	TestChaosCut, TestChaosDawdle, TestChaosFlood, TestChaosSlowReader,
	TestClientAndServer, TestClientFailures, TestClientRefusesItself, TestRawClientAndParent,
	TestHandleWritesBeforeItIsEstablished, TestHandleCloseWhileConnecting,
	TestRefusalsTellTheirBody, TestRefusalWithoutAnEnd, TestHandshakeErrorsHaveTheirCause,
	TestRedirects, TestRedirectsCanBeRefused, TestRedirectToAnotherOrigin, TestCookies, TestCookieJarsThatMisbehave,
	TestProxies, TestRawClientsBehindProxies,
	TestServerThatComesBack, TestRetryBeginsAtTheBeginning, TestCloseEndsTheRetrying, TestHandleOfReconnectingClients, TestRawClientsReconnect,
	TestAnswersBeforeABrokenRequest, TestRawResponsesThatEndShort, TestConnectIsNoTunnel,
	TestMountsAndHosts, TestListeners, TestCodecSessions, TestConnectionLimits, TestFilterNetworkConnection,
	TestShutdown, TestShutdownCutsOffWhoDoesNotGo, TestStats, TestPanicIsLoggedWithItsStack,
	TestDescriptorsRunOut,
	TestBadRequests, TestGoodRequests, TestPipelinedRequestsAreAnsweredInOrder, TestAnswersMayComeLater,
	TestClientWhoLeavesIsNoticed, TestUnansweredRequests, TestErrorsChooseTheAnswer, TestExpectContinue,
	TestHeadHasNoBody, TestResponseHeader, TestStreamedResponses, TestWritesThatDoNotFitTheResponse,
	TestRawResponses, TestMalformedRawResponseIsAnError, TestFiltersRefuse, TestBodiesThatNobodyWants,
	TestHalfClose, TestEOFInsideABody,
	TestFiltersDecide, TestBrokenBodyTakesTheAnswerBack, TestRequestStaysTheRequest, TestHandleOfARequest,
	TestPanicsOfACodecEndOneSession, TestCodecSessionCutInAMessage, TestStatusWithoutBodyEndsTheResponse,
	TestUnknownMethod, TestPingsHaveNoFragments, TestCallsBeforeThereIsARole, TestHeaderBetweenRequests,
	TestWriteableWaitsForRoom, TestShutdownDoesNotOutlastItsContext, TestUpgradeWhileDraining, TestNoLimit,
	TestHangupWithoutPings, TestProtocolLimits, TestHandshakeOnTheWire, TestManyHandleWritesLeaveInOrder,
	TestEchoAllocatesNothing, TestPlainGetAllocatesNothing,
	TestUpgrade, TestRetainHead, TestUpgradeRefusals, TestSubprotocols, TestGluedFrame, TestPieces,
	TestMessagesAreWholeWhateverTheFragments, TestWriteKinds, TestCloseHandshake, TestBreachesOfTheProtocol,
	TestCloseThenText, TestEveryPingIsAnswered, TestHandles, TestErrorOfAPostEndsTheSession, TestSlowReader,
	TestEveryAgreementCarriesEveryMessage, TestBreachesOfCompression, TestABombCostsWhatTheLimitAllows, TestCompressedEchoAllocatesNothing,
	TestPeerThatNeverReads, TestTimerAndPause, TestPauseBetweenPieces, TestTxPacketSizeDeliversAll,
	TestPublishReachesSubscribers, TestTopicCalls, TestEnginePublish, TestPublishAcrossLoops, TestSubscribersComeAndGo,
	TestPublishAllocatesNothing, TestBrokerJoinsEngines, TestBrokerMayDeliverUnderItsLock, TestPublisherDoesNotKeepTheLoop, TestWriteableBehindABacklog, TestWhatIsNotCompressed, TestEnginePublishKeepsItsPlace,
	TestOriginIsCheckedPerProtocol, TestProgramSelectsTheSubprotocol, TestUpgradesAreRefusedInAnyWay, TestFieldsOfThe101,
	TestHeldUpgradesGoOn, TestHeldUpgradesAreRefused, TestProceedHasItsTime, TestHandleOfAnUpgrade, TestSelectWhileHeld,
	TestHeldUpgradeWhileDraining, TestWebSocketsPerIP,
	TestBothSidesKnowHowItEnded, TestShutdownIsToldToBothSides, TestCodesThatMustNotBeSent, TestCloseStatusIsWhatWasSent, TestCloseDuringAHandshake,
	TestClientGet, TestClientMethods, TestClientForm, TestClientTrailers, TestClientFramings,
	TestConnectionsAreUsedAgain, TestConnectionsThatAreNotUsedAgain, TestUnaskedForBytesCloseIdleConnections, TestStaleConnections,
	TestOriginConnections, TestWhoWaitsForAConnectionMayLeave, TestIdleConnectionsAreBounded, TestRedirectsUseConnectionsAgain,
	TestRoundTripGet, TestRoundTripBodies, TestRoundTripWrongBodies, TestRoundTripRefuses, TestRoundTripContext, TestRoundTripTimeouts, TestRoundTripErrors, TestRoundTripResponses, TestRoundTripTrailers,
	TestRoundTripGzip, TestRoundTripThroughHTTPClient, TestRoundTripManyGoroutines, TestRoundTripSlowReader, TestRoundTripCloseEarly, TestRoundTripEarlyAnswer, TestRoundTripBothWays, TestRoundTripExpectContinue, TestRoundTripSwitchesProtocols, TestRoundTripReverseProxy, TestRoundTripTrace,
	TestClientFollowsRedirects, TestClientRedirectsThatEnd, TestClientUploadsWithBackPressure, TestClientWritesThatDoNotFit, TestClientExpectsContinue, TestClientHearsAnEarlyAnswer,
	TestClientPausesReading, TestClientTimes, TestClientEndsItself, TestClientRetriesRequests,
	TestClientGunzips, TestClientAsksForGzip, TestClientLimitsWhatItInflates, TestRoundTripUpgradeAndHost, TestRoundTripUploadsThroughAShortQueue, TestRoundTripWritesThatNeverFit,
	TestRoundTripClosedBodiesHaveTheirTime,
	TestRequestsByProxies, TestClientJar, TestClientHearsAnAnswerWhileItCannotSend, TestClientUploadStalls, TestClientResponsesCutAnywhere, TestRoundTripLeavesNothing,
	TestHandlersAreNotForTheGone, TestHijackThenPanic, TestVhostOfMountsOnly, TestRoundTripClosesBesideARead, TestRoundTripConnectionOptions, TestRoundTripRangesAreNotCompressed, TestNoSpellingGetsRoundAMount, TestServerDeclinesTheExtension, TestClientDoesNotOffer, TestClientChoosesItsOffer, TestOfferThatCannotBe,
	TestFilesAnswerAsFileServer, TestFilesByTheirSource, TestSeveralRanges, TestPathsThatGetNowhere, TestFoldersAreRedirected, TestMethodsOfFiles,
	TestPrecompressedFiles, TestCompressionOnTheFly, TestFileOptions, TestChangesAreSeen, TestFilesWithoutATime, TestServeFile, TestPipelinedFiles,
	TestFilesAreClosed, TestDownloadsAreDrained, TestStalledDownloads, TestFilesWithoutAWorker, TestBrokenFiles, TestCompletionMayEnd, TestFilesForMany,
	TestFilesInTheAccessLog,
	TestFilesBesideBusyHandlers, TestFilesAreOpenedOnceForMany, TestCompressingIsBounded, TestWhatIsNotThereIsKnown,
	TestHandlerContract,
	TestBasicAuth, TestBasicAuthIsTheMounts, TestBasicAuthByCallback, TestBasicAuthFunctionThatPanics, TestBasicAuthOfUpgrades, TestBasicAuthAndBodies, TestBasicAuthOfServices,
	TestRedirectMounts, TestRedirectsStayOnTheirHost, TestMountOptions, TestBodyLimitOfAMount,
	TestErrorPages, TestErrorPagesOfHead, TestErrorPageTakesTheAnswerBack, TestDefaultFields, TestDefaultFieldsOfErrors, TestNoDefaultFields,
	TestHandlerContinue,
	TestHandlerBodyGoesWrong,
	TestHandlerBodyOverTheLimit,
	TestHandlerDoesNotRead, TestHandlerClosesTheBody, TestBodiesOfRequestsThatWait,
	TestHandlerReadDeadline,
	TestHandlerContext, TestHandlersOfClientsThatHaveGone,
	TestHandlerWritesWait, TestHandlerInterimsWait,
	TestHandlerWriteFails,
	TestHandlerFlushes,
	TestHandlerBothWaysAtOnce,
	TestHandlerPanics,
	TestHandlersAreBounded,
	TestHandlersAnswerInOrder,
	TestHandlersAreWaitedFor,
	TestHijackedConnsAreConns,
	TestHijackTakesTheUnreadBody,
	TestHijackAfterTheHead,
	TestHijackedDeadlines,
	TestHijackedHalfClose, TestHijackedHalfCloseWaits,
	TestHijackedPressure,
	TestHijackedConnsNeedNoWorker,
	TestHijackedConnsEndInOrder,
	TestHijackedConnsAreCutOff,
	TestHijackEndsTheTransaction,
	TestHandlersOfTheLibrary,
	TestHandlerMounts,
	TestAccessLog, TestAccessLogOfAPipeline, TestAccessLogOfWhoLeaves, TestAccessLogOfTimeouts, TestAccessEntry, TestAccessLogThatPanics, TestSlowLogStallsNobody, TestAccessLogAllocatesNothing,
	TestForms, TestUploadsThatStop,
	TestHugeUploads,
	TestHugeDownloads,
	TestHandlersThatStay,
	TestHandlersLeaveNothing,
	TestHandlersGoroutinesAreLate,
	TestHijackedWritesAreWhole,
}

// noAgain are those that do not, and why.
var noAgain = map[string]string{
	"TestHugeFile":                     "300 MiB through a cipher are a test of patience",
	"TestPublisherWaitsForOtherLoops":  "unix sockets are dealt out in turn",
	"TestBrokerThatDoesNotStart":       "nobody connects",
	"TestBrokerIsThereForProtocolInit": "nobody connects",
	"TestNewRefusesBadConfigurations":  "nothing runs",
	"TestVhostsThatCannotShare":        "nothing runs",
	"TestConnectRefusesBadInfo":        "nothing connects",
	"TestPortInUse":                    "nobody connects",
	"TestProtocolInitAndDestroy":       "nobody connects",
	"TestCancelService":                "nobody connects",
	"TestShutdownBeforeRun":            "nobody connects",
	"TestShutdownTwiceAndWithoutRun":   "its client never gets a connection",
	"TestClientsOfARunThatFailed":      "its client never gets a connection",
	"TestUnixSocketsHaveNoIP":          "it is about the address",
	"TestTimerWhileConnecting":         "its client never gets a connection",
	"TestProxyRefusals":                "its clients never reach a server",
	"TestProxyTimeout":                 "its client never reaches a server",
	"TestWritesWhileItWaitsAreBounded": "its client never gets a connection",
	"TestUnixSockets":                  "its server is a process of this machine",
	"TestErrorPageOfAFullServer":       "with TLS nobody is told",
	"TestRedirectToHTTPS":              "with TLS it is the name in SNI that decides",
	"TestVhostsByHost":                 "with TLS it is the name in SNI that decides",
	"TestNamesThatCannotBe":            "nothing runs",
	"TestFieldsThatCannotBe":           "nothing runs",
	"TestErrorPagesThatCannotBe":       "nothing runs",
	"TestMountsThatCannotBe":           "nothing runs",
	"TestBasicAuthThatCannotBe":        "nothing runs",
	"TestAccessLogOfUnixSockets":       "its client knows no TLS",
}

// TestOverTLS runs the other tests once more; see over.
func TestOverTLS(t *testing.T) {
	for version, x := range transports {
		t.Run(version, func(t *testing.T) {
			if over(t) != x {
				t.Fatal("it is not this transport that the tests would use")
			}
			if version == "1.2" && (raced || invariant.Enabled) {
				t.Skip("1.2 differs from 1.3 inside of crypto/tls, for which a run without checks will do")
			}
			for i, test := range slices.Concat(again, againHere) {
				name := nameOf(test)
				if version == "1.2" && (i%3 != 0 || strings.HasPrefix(name, "TestChaos")) {
					continue // a third of them will show a difference, and one that takes long is not about versions
				}
				t.Run(name, test)
			}
		})
	}
}

// nameOf is a test's name.
func nameOf(test func(*testing.T)) string {
	name := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// TestOverTLSMissesNothing keeps the lists above complete. What is in tls_*_test.go
// is about TLS anyway.
func TestOverTLSMissesNothing(t *testing.T) {
	lists := map[string]int{}
	for _, test := range slices.Concat(again, againHere) {
		lists[nameOf(test)]++
	}
	for name := range noAgain {
		lists[name]++
	}
	for _, name := range testNames(t) {
		if lists[name] != 1 {
			t.Errorf("%s is %d times in the lists of tests that are run again and of those that are not", name, lists[name])
		}
		delete(lists, name)
	}
	for name := range lists {
		t.Errorf("there is no %s", name)
	}
}

// testNames are those of this package's tests that know nothing of TLS.
func testNames(t *testing.T) (names []string) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasPrefix(path, "tls_") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && f.Name.Name == "engine_test" && strings.HasPrefix(fn.Name.Name, "Test") && fn.Recv == nil {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}
