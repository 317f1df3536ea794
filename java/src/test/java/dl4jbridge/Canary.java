package dl4jbridge;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;

/** Counts how often a stranger's file makes an object in this JVM: a serialised one, or one that JSON names. */
public final class Canary implements Serializable {
    private static final long serialVersionUID = 1;
    private static int made;

    public Canary() {
        made++;
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
