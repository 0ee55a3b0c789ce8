import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on a free port of this machine that answers as a test tells it to.
final class StubServer: Sendable {
  struct Request: Sendable {
    let method: HTTPMethod
    /// The path with its query.
    let target: String
    let headers: HTTPHeaders
    let body: [UInt8]

    var path: String { String(target.split(separator: "?", maxSplits: 1)[0]) }
    var line: String { "\(method) \(target)" }
  }

  struct Answer: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders = [:]
    var body: [UInt8] = []
    /// Bytes of the body after which the connection is cut.
    var cut: Int?
    /// Whether the connection is closed without any answer.
    var hangsUp = false

    static var hangUp: Answer {
      var answer = Answer(.ok)
      answer.hangsUp = true
      return answer
    }

    init(
      _ status: HTTPResponseStatus, _ headers: HTTPHeaders = [:], body: [UInt8] = [],
      cut: Int? = nil
    ) {
      self.status = status
      self.headers = headers
      self.body = body
      self.cut = cut
    }

    init(_ status: HTTPResponseStatus, _ headers: HTTPHeaders = [:], text: String) {
      self.init(status, headers, body: Array(text.utf8))
    }
  }

  private let requestsSeen = Mutex<[Request]>([])
  private let channel: any Channel

  /// The requests so far.
  var requests: [Request] { requestsSeen.withLock { $0 } }
  var port: Int { channel.localAddress?.port ?? 0 }
  var host: String { "127.0.0.1:\(port)" }

  /// Runs `body` with a server whose answers `answer` gives; `answer` is told of the requests before.
  static func serving<Result>(
    _ answer: @escaping @Sendable (Request, _ before: [Request]) -> Answer,
    during body: (StubServer) async throws -> Result
  ) async throws -> Result {
    let handlers = Mutex<[@Sendable (Request) -> Answer]>([])
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(
            StubHandler { request in
              handlers.withLock { $0.first }.map { $0(request) } ?? Answer(.serviceUnavailable)
            })
        }
      }
    let channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    let server = StubServer(channel)
    handlers.withLock {
      $0.append { [unowned server] request in
        let before = server.requestsSeen.withLock { requests in
          defer { requests.append(request) }
          return requests
        }
        return answer(request, before)
      }
    }
    do {
      let result = try await body(server)
      try await channel.close()
      return result
    } catch {
      try? await channel.close()
      throw error
    }
  }

  private init(_ channel: any Channel) { self.channel = channel }
}

private final class StubHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let answer: (StubServer.Request) -> StubServer.Answer
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []

  init(_ answer: @escaping (StubServer.Request) -> StubServer.Answer) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body = []
    case .body(let part): body.append(contentsOf: part.readableBytesView)
    case .end:
      guard let head else { return }
      let answer = answer(
        StubServer.Request(method: head.method, target: head.uri, headers: head.headers, body: body)
      )
      write(answer, to: head, context)
    }
  }

  private func write(
    _ answer: StubServer.Answer, to request: HTTPRequestHead, _ context: ChannelHandlerContext
  ) {
    guard !answer.hangsUp else { return context.close(promise: nil) }
    var headers = answer.headers
    if !headers.contains(name: "Content-Length"), !headers.contains(name: "Transfer-Encoding") {
      headers.add(name: "Content-Length", value: "\(answer.body.count)")
    }
    context.write(
      wrapOutboundOut(.head(.init(version: .http1_1, status: answer.status, headers: headers))),
      promise: nil)
    if request.method != .HEAD {
      let sent = answer.body.prefix(answer.cut ?? answer.body.count)
      context.write(
        wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: sent)))), promise: nil)
    }
    guard answer.cut == nil else {
      context.flush()
      context.close(promise: nil)
      return
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
