package dl4jbridge;

import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.INDArrayIndex;
import org.nd4j.linalg.indexing.NDArrayIndex;

/**
 * An ND4J array whose memory Python fills or reads by address. ND4J owns the memory for as long as this object lives
 * or until {@link #close()}.
 */
public final class Tensor implements AutoCloseable {
    private final INDArray array;

    private Tensor(INDArray array) {
        this.array = array;
    }

    /** A zeroed array outside every workspace, so that no training step can recycle its memory. */
    @SuppressWarnings("try")
    public static Tensor zeros(String dataType, String order, long[] shape) {
        try (MemoryWorkspace ignored = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
            INDArray array = Nd4j.create(DataType.valueOf(dataType), shape, order.charAt(0));
            if (array.isView() || array.isAttached()) {
                throw new IllegalStateException("ND4J gave a view or a workspace array; its address must not be kept");
            }
            return new Tensor(array);
        }
    }

    /** An array somebody else made, to look at it as Python sees it. */
    public static Tensor of(INDArray array) {
        return new Tensor(array);
    }

    /** A dense copy of any array, of whatever type, order and strides: numbers as FLOAT, in 'c' order. */
    @SuppressWarnings("try")
    public static Tensor copyOf(INDArray array) {
        try (MemoryWorkspace ignored = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
            return new Tensor(array.castTo(DataType.FLOAT).dup('c'));
        }
    }

    public INDArray array() {
        return array;
    }

    /** The first {@code steps} time steps of [batch, classes, time]: in 'f' order they are one block at the front. */
    INDArray firstSteps(int steps) {
        return steps == array.size(2) ? array : array.get(
                new INDArrayIndex[] {NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(0, steps)});
    }

    /** Address of the first element in host memory; it already contains the offset of a view. */
    public long address() {
        Pointer pointer = array.data().addressPointer();
        return pointer.address();
    }

    public long length() {
        return array.length();
    }

    public long[] shape() {
        return array.shape();
    }

    public long[] strides() {
        return array.stride();
    }

    public String order() {
        return String.valueOf(array.ordering());
    }

    public String dataType() {
        return array.dataType().name();
    }

    /** On CUDA the address is the host copy: says that it is the newer one. Does nothing on the CPU. */
    public void hostChanged() {
        Nd4j.getAffinityManager().tagLocation(array, org.nd4j.linalg.api.concurrency.AffinityManager.Location.HOST);
    }

    /** On CUDA copies the device's values to the host, before Python reads them. Does nothing on the CPU. */
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
