// Java's WebSocket API as Tomcat has it, in both roles.

import jakarta.websocket.ClientEndpointConfig;
import jakarta.websocket.CloseReason;
import jakarta.websocket.ContainerProvider;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.Extension;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.PongMessage;
import jakarta.websocket.Session;
import jakarta.websocket.server.ServerContainer;
import jakarta.websocket.server.ServerEndpointConfig;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.catalina.Context;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.catalina.util.ServerInfo;
import org.apache.tomcat.websocket.server.WsSci;

public class Peer {
  static final String PROTOCOL = "second.choice";
  static final List<String> OFFERED = List.of("first.choice", PROTOCOL);
  static final int LIMIT = 1 << 24;

  /** One connection: echoes, and obeys. */
  public static class Echo extends Endpoint {
    final CountDownLatch over = new CountDownLatch(1);
    private final String path;
    private boolean inPieces;

    public Echo() {
      this(null);
    }

    /** A client knows its path, and a server gets it from the request. */
    Echo(String path) {
      this.path = path;
    }

    @Override
    public void onOpen(Session session, EndpointConfig config) {
      session.setMaxTextMessageBufferSize(LIMIT);
      session.setMaxBinaryMessageBufferSize(LIMIT);
      session.addMessageHandler(String.class, message -> attempt(() -> obey(session, message)));
      session.addMessageHandler(ByteBuffer.class, message -> attempt(() -> reply(session, message)));
      session.addMessageHandler(PongMessage.class, pong -> attempt(() -> {
        byte[] payload = new byte[pong.getApplicationData().remaining()];
        pong.getApplicationData().get(payload);
        session.getBasicRemote().sendText("interop:pong " + new String(payload));
      }));
    }

    @Override
    public void onClose(Session session, CloseReason reason) {
      tell("{\"path\":\"%s\",\"protocol\":\"%s\",\"code\":%d,\"reason\":\"%s\"}".formatted(
          path == null ? session.getRequestURI().getPath() : path, session.getNegotiatedSubprotocol(), reason.getCloseCode().getCode(),
          reason.getReasonPhrase() == null ? "" : reason.getReasonPhrase()));
      over.countDown();
    }

    @Override
    public void onError(Session session, Throwable error) {}

    private void obey(Session session, String message) throws IOException {
      if (!message.startsWith("interop:")) {
        reply(session, message);
        return;
      }
      String[] words = message.substring("interop:".length()).split(" ", 3);
      switch (words[0]) {
        case "pieces" -> inPieces = true;
        case "ping" -> session.getBasicRemote().sendPing(ByteBuffer.wrap(words[1].getBytes()));
        default -> session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(Integer.parseInt(words[1])), words[2]));
      }
    }

    private void reply(Session session, String message) throws IOException {
      var remote = session.getBasicRemote();
      if (!inPieces) {
        remote.sendText(message);
        return;
      }
      inPieces = false;
      remote.sendText(message.substring(0, message.length() / 3), false);
      remote.sendText(message.substring(message.length() / 3), true);
    }

    private void reply(Session session, ByteBuffer message) throws IOException {
      var remote = session.getBasicRemote();
      if (!inPieces) {
        remote.sendBinary(message);
        return;
      }
      inPieces = false;
      int third = message.remaining() / 3;
      remote.sendBinary(message.slice(message.position(), third), false);
      remote.sendBinary(message.slice(message.position() + third, message.remaining() - third), true);
    }
  }

  interface Step {
    void run() throws IOException;
  }

  static void attempt(Step step) {
    try {
      step.run();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  static synchronized void tell(String line) {
    System.out.println(line);
  }

  static String version() {
    return ServerInfo.getServerNumber();
  }

  static void serve() throws Exception {
    Path folder = Files.createTempDirectory("interop-tomcat");
    Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(folder.toFile())));
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(folder.toString());
    tomcat.setPort(0);
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    Context context = tomcat.addContext("", null);
    // the filter of the WebSocket container gets a request only if a servlet could take it
    Tomcat.addServlet(context, "default", new DefaultServlet());
    context.addServletMappingDecoded("/", "default");
    context.addServletContainerInitializer(new WsSci(), null);
    context.addServletContainerInitializer((classes, servletContext) -> {
      var container = (ServerContainer) servletContext.getAttribute(ServerContainer.class.getName());
      try {
        container.addEndpoint(ServerEndpointConfig.Builder.create(Echo.class, "/{check}").subprotocols(List.of(PROTOCOL)).build());
      } catch (Exception error) {
        throw new IllegalStateException(error);
      }
    }, null);
    tomcat.start();
    tell("{\"version\":\"%s\",\"port\":%d}".formatted(version(), tomcat.getConnector().getLocalPort()));
    tomcat.getServer().await();
  }

  static void remove(File file) {
    File[] inside = file.listFiles();
    if (inside != null) for (File each : inside) remove(each);
    file.delete();
  }

  static void connect(String url) throws Exception {
    Extension deflate = new Extension() {
      @Override
      public String getName() {
        return "permessage-deflate";
      }

      @Override
      public List<Parameter> getParameters() {
        return List.of();
      }
    };
    var config = ClientEndpointConfig.Builder.create()
        .preferredSubprotocols(OFFERED)
        .extensions(List.of(deflate))
        .build();
    Echo echo = new Echo(URI.create(url).getPath());
    ContainerProvider.getWebSocketContainer().connectToServer(echo, config, URI.create(url));
    echo.over.await();
  }

  public static void main(String[] arguments) throws Exception {
    Logger.getLogger("").setLevel(Level.OFF);
    Thread leaving = new Thread(() -> {
      try {
        while (System.in.read() >= 0) continue;
      } catch (IOException error) {
        // the same as its end
      }
      Runtime.getRuntime().exit(0);
    });
    leaving.setDaemon(true);
    leaving.start();
    if (arguments[0].equals("serve")) {
      serve();
      return;
    }
    tell("{\"version\":\"%s\"}".formatted(version()));
    for (int i = 1; i < arguments.length; i++) connect(arguments[i]);
    Runtime.getRuntime().exit(0);
  }
}
