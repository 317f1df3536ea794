package dl4jbridge;

import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.INDArrayIndex;
import org.nd4j.linalg.indexing.NDArrayIndex;

/**
 * An ND4J array whose memory Python writes or reads by address. The memory belongs to ND4J, and is valid while this
 * object is reachable or until {@link #close()}.
 */
public final class Tensor implements AutoCloseable {
    private final INDArray array;

    private Tensor(INDArray array) {
        this.array = array;
    }

    /**
     * A zeroed array outside every workspace, so that no training step can recycle its memory.
     *
     * @param dataType  name of an ND4J DataType, such as FLOAT or UBYTE
     * @param order     "c" or "f"
     */
    @SuppressWarnings("try")
    public static Tensor zeros(String dataType, String order, long[] shape) {
        try (MemoryWorkspace ignored = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
            INDArray array = Nd4j.create(DataType.valueOf(dataType), shape, order.charAt(0));
            if (array.isView() || array.isAttached()) {
                throw new IllegalStateException("ND4J returned a view or a workspace array, whose address is not stable");
            }
            return new Tensor(array);
        }
    }

    /** Wraps an existing array, without a copy. */
    public static Tensor of(INDArray array) {
        return new Tensor(array);
    }

    /** Wraps an array whose elements follow each other in memory, or a copy of one whose elements do not. */
    static Tensor dense(INDArray array) {
        long[] shape = array.shape();
        long[] wanted = Nd4j.getStrides(shape, array.ordering());
        for (int axis = 0; axis < shape.length; axis++) {
            if (shape[axis] != 1 && array.stride(axis) != wanted[axis]) {
                return new Tensor(array.dup(array.ordering()));
            }
        }
        return new Tensor(array);
    }

    /** Wraps an existing array; null for any other object. */
    public static Tensor ofObject(Object object) {
        return object instanceof INDArray ? new Tensor((INDArray) object) : null;
    }

    /** A dense copy, FLOAT in 'c' order, of an array of any type, order and strides. */
    @SuppressWarnings("try")
    public static Tensor copyOf(INDArray array) {
        try (MemoryWorkspace ignored = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
            return new Tensor(array.castTo(DataType.FLOAT).dup('c'));
        }
    }

    /** The ND4J array itself. */
    public INDArray array() {
        return array;
    }

    /** The first {@code steps} time steps of [batch, classes, time]: in 'f' order they are one block at the start. */
    INDArray firstSteps(int steps) {
        return steps == array.size(2) ? array : array.get(
                new INDArrayIndex[] {NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(0, steps)});
    }

    /** Address of the first element in host memory, including the offset of a view. */
    public long address() {
        Pointer pointer = array.data().addressPointer();
        return pointer.address();
    }

    /** Number of elements from {@link #address()} to the end of the buffer that it points into. */
    public long elementsFromAddress() {
        return array.data().underlyingLength() - array.data().offset();
    }

    /** Number of elements. */
    public long length() {
        return array.length();
    }

    public long[] shape() {
        return array.shape();
    }

    /** Strides in elements. */
    public long[] strides() {
        return array.stride();
    }

    /** "c" or "f". */
    public String order() {
        return String.valueOf(array.ordering());
    }

    public String dataType() {
        return array.dataType().name();
    }

    /** On CUDA, marks the host copy, whose address Python has, as the newer one. Does nothing on the CPU. */
    public void hostChanged() {
        Nd4j.getAffinityManager().tagLocation(array, org.nd4j.linalg.api.concurrency.AffinityManager.Location.HOST);
    }

    /** On CUDA, copies the device's values to the host before Python reads them. Does nothing on the CPU. */
    public void toHost() {
        Nd4j.getAffinityManager().ensureLocation(array, org.nd4j.linalg.api.concurrency.AffinityManager.Location.HOST);
    }

    @Override
    public void close() {
        if (array.closeable()) {
            array.close();
        }
    }
}
