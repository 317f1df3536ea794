package dl4jbridge;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import org.deeplearning4j.nn.conf.distribution.Distribution;
import org.nd4j.linalg.activations.impl.ActivationIdentity;

/** Counts how often a stranger's file makes an object in this JVM: a serialised one, or one that JSON names. */
public final class Canary implements Serializable {
    private static final long serialVersionUID = 1;
    private static int made;

    public Canary() {
        made++;
    }

    /** A canary where DL4J's configuration wants an activation, as a stranger's own class would be one. */
    public static final class Activation extends ActivationIdentity {
        private static final long serialVersionUID = 1;

        public Activation() {
            new Canary();
        }
    }

    /** The same where it wants a distribution, which names its class in another field. */
    public static final class Weights extends Distribution {
        private static final long serialVersionUID = 1;

        public Weights() {
            new Canary();
        }
    }

    public static int made() {
        return made;
    }

    /** The bytes of a Canary, as a stranger would put them into a zip. */
    public static byte[] serialised() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(new Canary());
        }
        return bytes.toByteArray();
    }

    /** What {@code ModelSerializer} does with {@code preprocessor.bin}. */
    public static Object deserialised(byte[] bytes) throws IOException, ClassNotFoundException {
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes))) {
            return in.readObject();
        }
    }

    private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
        in.defaultReadObject();
        made++;
    }
}
