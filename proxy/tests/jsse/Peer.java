import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/**
 * A peer with Java's own TLS, restricted as a stock security server is: TLS 1.2, three CBC suites, a certificate in both
 * roles. Trusts everybody, so that what fails is TLS.
 *
 * <pre>
 * java Peer.java client HOST PORT KEYSTORE REQUEST COUNT   sends the file REQUEST over COUNT connections, one after the other;
 *                                                          answers go to REQUEST.answer.N
 * java Peer.java server HOST PORT KEYSTORE ANSWER          prints "listening PORT"; answers each connection's first request
 *                                                          with the file ANSWER; requests go to ANSWER.request.N
 * </pre>
 *
 * Each connection gets a line: suite and number of certificates of the other side, or "failed" and why.
 */
public final class Peer {
    private static final String[] SUITES = {
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
    };
    private static final char[] PASSWORD = "sandbox".toCharArray();
    private static final int PATIENCE = 60_000;

    public static void main(String[] arguments) throws Exception {
        InetAddress host = InetAddress.getByName(arguments[1]);
        int port = Integer.parseInt(arguments[2]);
        SSLContext context = context(arguments[3]);
        Path file = Path.of(arguments[4]);
        if (arguments[0].equals("client")) {
            call(context, host, port, file, Integer.parseInt(arguments[5]));
        } else {
            serve(context, host, port, file);
        }
    }

    private static SSLContext context(String keystore) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(keystore)) {
            store.load(in, PASSWORD);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, PASSWORD);
        SSLContext context = SSLContext.getInstance("TLSv1.2");
        context.init(keys.getKeyManagers(), new TrustManager[] {new TrustEverybody()}, new SecureRandom());
        return context;
    }

    private static SSLParameters parameters() {
        SSLParameters parameters = new SSLParameters(SUITES, new String[] {"TLSv1.2"});
        parameters.setNeedClientAuth(true);
        return parameters;
    }

    private static void call(SSLContext context, InetAddress host, int port, Path request, int count)
            throws IOException {
        for (int number = 0; number < count; number++) {
            // With host and port, or JSSE would not look for a session to resume.
            try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(host, port)) {
                socket.setSSLParameters(parameters());
                socket.setSoTimeout(PATIENCE);
                socket.startHandshake();
                Thread writer = writer(socket, Files.readAllBytes(request));
                byte[] answer = socket.getInputStream().readAllBytes();
                writer.join();
                Files.write(Path.of(request + ".answer." + number), answer);
                say(describe(socket.getSession()));
            } catch (IOException | InterruptedException error) {
                say("failed " + error);
            }
        }
    }

    /** Writes beside the reading, as the answer to a large request may begin before its end. */
    private static Thread writer(SSLSocket socket, byte[] bytes) {
        Thread writer = new Thread(() -> {
            try {
                socket.getOutputStream().write(bytes);
                socket.getOutputStream().flush();
            } catch (IOException error) {
                say("not all was sent: " + error);
            }
        });
        writer.start();
        return writer;
    }

    private static void serve(SSLContext context, InetAddress host, int port, Path answer) throws IOException {
        try (SSLServerSocket listener =
                (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port, 50, host)) {
            listener.setSSLParameters(parameters());
            say("listening " + listener.getLocalPort());
            for (int number = 0; ; number++) {
                try (SSLSocket socket = (SSLSocket) listener.accept()) {
                    socket.setSoTimeout(PATIENCE);
                    socket.startHandshake();
                    Files.write(Path.of(answer + ".request." + number), readRequest(socket.getInputStream()));
                    say(describe(socket.getSession()));
                    socket.getOutputStream().write(Files.readAllBytes(answer));
                } catch (IOException error) {
                    say("failed " + error);
                }
            }
        }
    }

    /** A request's head, and its body as far as its length is told or it is chunked. */
    private static byte[] readRequest(InputStream in) throws IOException {
        ByteArrayOutputStream request = new ByteArrayOutputStream();
        readUntil(in, request, "\r\n\r\n");
        String head = request.toString(StandardCharsets.ISO_8859_1).toLowerCase();
        int length = head.indexOf("\r\ncontent-length:");
        if (length >= 0) {
            int end = head.indexOf("\r\n", length + 2);
            int wanted = Integer.parseInt(head.substring(length + 17, end).trim());
            request.write(in.readNBytes(wanted));
        } else if (head.contains("\r\ntransfer-encoding: chunked")) {
            readUntil(in, request, "\r\n0\r\n\r\n");
        }
        return request.toByteArray();
    }

    private static void readUntil(InputStream in, ByteArrayOutputStream to, String end) throws IOException {
        byte[] wanted = end.getBytes(StandardCharsets.ISO_8859_1);
        int found = 0;
        while (found < wanted.length) {
            int next = in.read();
            if (next < 0) {
                throw new IOException("the request ended early");
            }
            to.write(next);
            found = next == wanted[found] ? found + 1 : next == wanted[0] ? 1 : 0;
        }
    }

    private static String describe(SSLSession session) throws SSLException {
        return session.getCipherSuite() + " " + session.getPeerCertificates().length;
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static final class TrustEverybody implements X509TrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String kind) {
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String kind) {
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
