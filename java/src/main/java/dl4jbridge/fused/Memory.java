package dl4jbridge.fused;

import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Floats outside of the Java heap, where BLAS can reach them: allocated here, or those of an ND4J array. Only this class
 * computes addresses, and it checks the bounds of each.
 */
final class Memory {
    private static final int CHUNK = 2048;
    private static final int LINE = 64;

    private final Object owner;
    private final long address;
    private final long length;
    private final FloatBuffer buffer;

    private Memory(Object owner, long address, long length) {
        this.owner = owner;
        this.address = address;
        this.length = length;
        this.buffer = new Window(address, length).asBuffer();
    }

    /** Zeroed memory that is freed with this object. It is aligned to a cache line, so that no vector crosses two. */
    static Memory allocate(long length) {
        FloatPointer pointer = new FloatPointer(length + LINE / Float.BYTES);
        Pointer.memset(pointer, 0, pointer.capacity() * Float.BYTES);
        return new Memory(pointer, (pointer.address() + LINE - 1) / LINE * LINE, length);
    }

    /** {@code held} if it is large enough, else new memory. The content is undefined. */
    static Memory atLeast(Memory held, long length) {
        return held != null && held.length >= length ? held : allocate(length);
    }

    /**
     * All elements of a dense FLOAT array on the CPU, in the order of memory. This object keeps the array reachable.
     *
     * @throws IllegalArgumentException for another data type, or if the array has gaps
     */
    static Memory of(INDArray array) {
        if (array.dataType() != DataType.FLOAT) {
            throw new IllegalArgumentException("wanted a FLOAT array, found " + array.dataType());
        }
        if (!isDense(array)) {
            throw new IllegalArgumentException("wanted a dense array, found strides "
                    + java.util.Arrays.toString(array.stride()) + " for " + java.util.Arrays.toString(array.shape()));
        }
        Pointer pointer = array.data().addressPointer(); // already contains the offset of a view
        return new Memory(array, pointer.address(), array.length());
    }

    /** True if the elements fill one block of memory without gaps, in any order of the axes. */
    static boolean isDense(INDArray array) {
        long furthest = 0;
        for (int i = 0; i < array.rank(); i++) {
            if (array.size(i) > 1 && array.stride(i) <= 0) {
                return false;
            }
            furthest += (array.size(i) - 1) * array.stride(i);
        }
        return furthest == array.length() - 1;
    }

    long length() {
        return length;
    }

    /**
     * Address of {@code count} floats from {@code offset} on. Valid while this object is reachable.
     *
     * @throws IndexOutOfBoundsException if they are not all in this memory
     */
    long at(long offset, long count) {
        if (offset < 0 || count < 0 || offset + count > length) {
            throw new IndexOutOfBoundsException(offset + " + " + count + " of " + length + " floats");
        }
        return address + offset * Float.BYTES;
    }

    /** A view with its own position, for one thread. */
    FloatBuffer view() {
        return buffer.duplicate();
    }

    /** Copies {@code n} floats of a view from {@code at} on to the start of an array. */
    static void get(FloatBuffer view, long at, float[] into, int n) {
        view.position((int) at);
        view.get(into, 0, n);
    }

    /** Copies {@code n} floats from {@code at} on to each row of an array of [rows, n]. */
    void getRepeated(int at, float[] into, int rows, int n) {
        FloatBuffer view = view();
        for (int i = 0; i < rows; i++) {
            view.position(at);
            view.get(into, i * n, n);
        }
    }

    /** Copies the start of an array to {@code n} floats of a view from {@code at} on. */
    static void put(FloatBuffer view, long at, float[] values, int n) {
        view.position((int) at);
        view.put(values, 0, n);
    }

    /** Copies rows of {@code size} floats, {@code pitch} apart in a view from {@code at} on, to {@code into[to]} and on. */
    static void getRows(FloatBuffer view, long at, int pitch, float[] into, int to, int rows, int size) {
        int atOnce = pitch == size ? rows : 1;
        for (int i = 0; i < rows; i += atOnce) {
            view.position((int) at + i * pitch);
            view.get(into, to + i * size, atOnce * size);
        }
    }

    /** Copies the start of an array to rows of {@code size} floats, {@code pitch} apart in a view from {@code at} on. */
    static void putRows(FloatBuffer view, long at, int pitch, float[] values, int rows, int size) {
        int atOnce = pitch == size ? rows : 1;
        for (int i = 0; i < rows; i += atOnce) {
            view.position((int) at + i * pitch);
            view.put(values, i * size, atOnce * size);
        }
    }

    /** Copies {@code n} floats of one view to another. */
    static void copy(FloatBuffer from, long at, FloatBuffer to, long toAt, int n) {
        from.clear();
        from.position((int) at);
        from.limit((int) at + n);
        to.position((int) toAt);
        to.put(from);
    }

    /**
     * Memory in which a part of the batch sums its share of a gradient, in rows {@code pitch} apart: the gradient itself
     * for the first part if the pitch allows it, else {@code held} or a larger one.
     */
    static Memory share(boolean first, Memory held, int rows, int pitch, int size, Memory gradient) {
        return first && pitch == size ? gradient : atLeast(held, (long) rows * pitch);
    }

    /**
     * Sums matrices of the same shape with rows {@code pitch} apart.
     *
     * @param first  first of the rows to sum
     * @param into   receives the sum, without gaps; may be the first term
     * @return the sum of the squares of the result
     */
    static double sumRows(Memory[] terms, int pitch, int first, int rows, int size, Memory into) {
        int atOnce = Math.max(1, CHUNK / size);
        float[] term = new float[atOnce * size];
        float[] sum = new float[term.length];
        SquareSum squares = new SquareSum(sum.length);
        FloatBuffer to = into.view();
        for (int row = first; row < first + rows; row += atOnce) {
            int n = Math.min(atOnce, first + rows - row);
            getRows(terms[0].view(), (long) row * pitch, pitch, sum, 0, n, size);
            for (int i = 1; i < terms.length; i++) {
                getRows(terms[i].view(), (long) row * pitch, pitch, term, 0, n, size);
                PointwiseMath.add(term, sum, n * size);
            }
            squares.add(sum, n * size);
            if (terms.length > 1 || terms[0] != into) {
                put(to, (long) row * size, sum, n * size);
            }
        }
        return squares.total();
    }

    float get(long offset) {
        at(offset, 1);
        return buffer.get((int) offset);
    }

    /** {@code count} floats from {@code offset} on as pairs; a last odd one is left out. */
    LongBuffer pairs(long offset, long count) {
        return new BytePointer(new Window(at(offset, count), count)).capacity(count / 2 * Long.BYTES)
                .asByteBuffer().order(ByteOrder.nativeOrder()).asLongBuffer();
    }

    /** A pointer to all of it. Valid while this object is reachable. */
    Window window() {
        return new Window(address, length);
    }

    /** Keeps the memory from being freed while native code works on its address. */
    void keep() {
        java.lang.ref.Reference.reachabilityFence(owner);
    }

    /** A JavaCPP pointer that can be set to any address, so that the inner loops create no objects. */
    static final class Window extends FloatPointer {
        Window() {
            super((Pointer) null);
        }

        Window(long address, long length) {
            super((Pointer) null);
            this.address = address;
            this.limit = length;
            this.capacity = length;
        }

        Window set(long address) {
            this.address = address;
            return this;
        }
    }
}
