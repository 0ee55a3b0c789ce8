import NIOCore
import NIOPosix
import Synchronization

/// Stands between a client and a server, and cuts connections after as many bytes as a test says, or
/// lets them hang.
public final class CuttingProxy: Sendable {
  private let cuts: Mutex<[Int]>
  private let hangs: Bool
  private let channel = Mutex<(any Channel)?>(nil)

  public var host: String { "127.0.0.1:\(channel.withLock { $0?.localAddress?.port ?? 0 })" }
  /// How many of the cuts have not come yet.
  public var remainingCutCount: Int { cuts.withLock { $0.count } }

  private init(cuts: [Int], hangs: Bool) {
    self.cuts = Mutex(cuts)
    self.hangs = hangs
  }

  /// Runs `body` with a proxy for the server on `port` of this machine.
  ///
  /// - Parameters:
  ///   - cuts: the bytes, to and fro, after which each of the first connections ends.
  ///   - hangs: whether these connections stay open, and carry nothing any more.
  public static func serving<Result>(
    port: Int, cuts: [Int], hangs: Bool = false, during body: (CuttingProxy) async throws -> Result
  ) async throws -> Result {
    let proxy = CuttingProxy(cuts: cuts, hangs: hangs)
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { near in
        let limit = proxy.cuts.withLock { $0.isEmpty ? Int.max : $0.removeFirst() }
        // Both ends on one event loop, so that their count needs no lock.
        return ClientBootstrap(group: near.eventLoop).connect(host: "127.0.0.1", port: port)
          .flatMapThrowing { far in
            let budget = Budget(limit, hangs: proxy.hangs)
            try near.pipeline.syncOperations.addHandler(Forwarder(to: far, budget))
            try far.pipeline.syncOperations.addHandler(Forwarder(to: near, budget))
            near.setOption(.autoRead, value: true).whenComplete { _ in }
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    proxy.channel.withLock { $0 = channel }
    defer { channel.close(promise: nil) }
    return try await body(proxy)
  }
}

/// The bytes that a connection may still carry.
private final class Budget {
  var byteCount: Int

  let hangs: Bool

  init(_ byteCount: Int, hangs: Bool) {
    self.byteCount = byteCount
    self.hangs = hangs
  }
}

private final class Forwarder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let partner: any Channel
  private let budget: Budget

  init(to partner: any Channel, _ budget: Budget) {
    self.partner = partner
    self.budget = budget
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    let allowed = min(bytes.readableBytes, budget.byteCount)
    budget.byteCount -= allowed
    partner.writeAndFlush(bytes.getSlice(at: bytes.readerIndex, length: allowed), promise: nil)
    if budget.byteCount == 0 && !budget.hangs {
      partner.close(promise: nil)
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    partner.close(promise: nil)
  }
}
